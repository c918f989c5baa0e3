"""The environment variables with which the server restarts itself."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded import environment

TUNED = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}


@pytest.mark.parametrize("encoding", ["ascii", "ANSI_X3.4-1968", "latin-1"])
def test_utf_8_mode_is_required_in_other_locales(encoding):
    for current in ({}, {"PYTHONUTF8": "0", "LC_ALL": "C"}):
        required = environment.required({**TUNED, **current}, encoding)
        assert required == {**TUNED, **current, "PYTHONUTF8": "1"}


def test_utf_8_environment_is_unchanged():
    assert environment.required({**TUNED, "LANG": "C"}, "utf-8") == {**TUNED, "LANG": "C"}


def test_required_environment_is_stable():
    """Otherwise the process would restart itself forever."""
    once = environment.required({}, "ascii")
    assert environment.required(once, "ascii") == once
