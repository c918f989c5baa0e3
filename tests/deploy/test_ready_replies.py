"""ready.sh with servers that hang, send too much, or close the connection."""

from __future__ import annotations

import json
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


def prediction(kilobytes, answers, *, answers_first, lines):
    """A reply with a long output of floats, on one line or on many, as servers write either."""
    size = 40 if lines else 24
    separator = ",\n            " if lines else ", "
    floats = separator.join(["0.12345678901234567890"] * (kilobytes * 1000 // size))
    outputs = [f'"scores": [[{floats}]]', f'"answers": {json.dumps(answers)}']
    if answers_first:
        outputs.reverse()
    members = ",\n        ".join(outputs)
    return response(f'{{\n    "outputs": {{\n        {members}\n    }}\n}}'.encode())


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize(
    ("kilobytes", "answers_first", "answer", "ready"),
    [
        (100, False, "17", True),
        (100, False, "18", False),
        (1000, True, "17", True),
        (1000, True, "18", False),
        (1000, False, "18", True),  # too long to be compared
    ],
)
def test_an_answer_in_a_large_reply(golden, kilobytes, answers_first, answer, ready, lines):  # noqa: ARG001
    reply = prediction(kilobytes, [answer], answers_first=answers_first, lines=lines)
    with replying(reply) as port:
        code, text = check(port, TIMEOUT=20)
    assert (code, "answer its golden request" in text) == ((0, False) if ready else (1, True))


@pytest.mark.parametrize("padding", range(950, 1030, 7))
def test_an_answer_anywhere_in_the_pieces_that_are_read(golden, padding):
    golden({"inputs": {}, "expect": {"answers": [["a, b]", "c"], ["d", "e"]]}})
    values = json.dumps([["a, b]", "c"], ["d", "e"]])
    body = f'{{"outputs": {{"x": "{"x" * padding}", "answers": {values}, "z": [1]}}}}'
    with replying(response(body.encode())) as port:
        assert check(port) == (0, "")
    with replying(response(body.replace('"e"', '"f"').encode())) as port:
        reason(port)


def test_a_long_answer_without_an_end_is_cut_off(golden):  # noqa: ARG001
    with replying(response(b'{"outputs": ["17"' + b', "17"' * 1_000_000)) as port:
        assert "does not answer its golden request" in reason(port)


def test_a_large_error_is_not_ready(golden):  # noqa: ARG001
    reply = prediction(200, ["17"], answers_first=False, lines=False)
    with replying(reply.replace(b"200 OK", b"500 Internal Server Error")) as port:
        assert "status 500" in reason(port)
