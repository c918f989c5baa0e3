"""The h2load benchmark: parsing the output of h2load, and framing gRPC messages."""

from __future__ import annotations

import pytest

from benchmarks.support import h2load

SUMMARY = """\
finished in 4.00s, 1234.50 req/s, 210.1KB/s
requests: 4938 total, 5002 started, 4938 done, 4938 succeeded, {failed} failed, 0 errored, 1 timeout
"""


def test_summary_gives_rate_and_failures():
    assert h2load.parse(SUMMARY.format(failed=2)) == (1234.5, 3)


def test_other_output_is_an_error():
    with pytest.raises(ValueError, match="unexpected output of h2load"):
        h2load.parse("h2load: unknown option")


def test_frame_has_a_flag_and_a_length():
    assert h2load.framed(b"abc") == b"\0\0\0\0\3abc"
