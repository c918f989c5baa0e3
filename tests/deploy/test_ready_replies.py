"""ready.sh with servers that hang, send too much, or close the connection."""

from __future__ import annotations

import time

import pytest
from deploy.ready_script import METADATA, RIGHT, check, reason, replying, response


def test_an_error_that_contains_a_version_is_not_ready():
    with replying(response(METADATA % 1, b"503 Service Unavailable"), version=0) as port:
        assert "has no AVAILABLE version: the reply has status 503" in reason(port)


def test_a_correct_answer_in_pieces_is_ready_before_the_connection_ends(golden):  # noqa: ARG001
    whole = response(RIGHT)
    with replying(whole[:40], whole[40:-20], whole[-20:], hang=True) as port:
        assert check(port) == (0, "")


@pytest.mark.parametrize("version", [0, 1])
def test_a_hanging_server_times_out(golden, version):  # noqa: ARG001
    with replying(hang=True, version=version) as port:
        start = time.monotonic()
        assert reason(port, TIMEOUT="1") == f"port {port} did not reply within 1 s"
        assert 1 <= time.monotonic() - start < 4


def test_a_reply_that_hangs_halfway_times_out(golden):  # noqa: ARG001
    with replying(response(RIGHT)[:60], hang=True) as port:
        assert reason(port, TIMEOUT="1") == f"port {port} did not reply within 1 s"


@pytest.mark.parametrize("version", [0, 1])
def test_a_closed_connection_is_not_ready(golden, version):  # noqa: ARG001
    with replying(version=version) as port:
        assert (
            reason(port)
            == f"port {port} closed the connection without a reply; is it --rest_api_port?"
        )


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("fill", [b"7", b'"}],'])
def test_a_reply_without_an_end_is_cut_off(golden, version, fill):  # noqa: ARG001
    with replying(response(b"{" + fill * 1_000_000), version=version) as port:
        start = time.monotonic()
        assert len(reason(port)) < 600
        assert time.monotonic() - start < 4
