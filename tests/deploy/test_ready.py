"""ready.sh: a server is ready if the label answers correctly; if not, one line gives the reason."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support import servers
from support.paths import ROOT

SCRIPT = ROOT / "serving" / "config" / "ready.sh"
RIGHT = b'{\n    "outputs": {\n        "answers": [\n            "17"\n        ]\n    }\n}'


def check(port, **variables):
    """The script's exit code and its error output, for a server on this port."""
    command = ["bash", SCRIPT, str(port)]
    environment = os.environ | variables
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout == ""
    return done.returncode, done.stderr


def reason(port, **variables):
    """The reason why the server is not ready."""
    code, line = check(port, **variables)
    assert code == 1
    assert re.fullmatch(r"not ready: [^\n]+\n", line)
    return line.removeprefix("not ready: ").rstrip()


@contextmanager
def replying(*parts: bytes, hang: bool = False) -> Iterator[int]:
    """A server that sends this reply to the first request, and closes the connection or hangs."""
    over = threading.Event()

    def serve():
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(10)
            request = b""
            while b"9+8" not in request:
                request += connection.recv(4096)
            try:
                for part in parts:
                    connection.sendall(part)
            except OSError:  # the script has exited
                return
            if hang:
                over.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            thread.join()


def response(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n\r\n%s" % (status, body)


@pytest.fixture(scope="module")
def server(small_version, tmp_path_factory):
    """A server process whose model has the label `stable`."""
    folder = tmp_path_factory.mktemp("ready")
    first = (ROOT / "serving" / "config" / "models.config").read_text()
    config = folder / "models.config"
    config.write_text(first.replace("/models/seq2sum", str(small_version.parent)))
    flags = ["--allow_version_labels_for_unavailable_models=true"]
    started = servers.Server.launch(
        None, folder, config=config, flags=flags, rest=True, forked=True
    ).wait_until_open()
    yield started
    started.stop()


def test_a_server_with_a_correct_answer_is_ready(server):
    assert check(server.rest_port) == (0, "")


def test_the_default_port_is_that_of_tensorflow_serving():
    assert "port=${1:-8501}" in SCRIPT.read_text()


def test_an_unknown_label_is_not_ready(server):
    assert reason(server.rest_port, LABEL="tomorrow") == (
        "expected 17 for 9+8 by label tomorrow of seq2sum, but the reply has status 400: "
        '{    "error": "Unrecognized servable version label: tomorrow"}'
    )


def test_an_unknown_model_is_not_ready(server):
    assert "label stable of subtraction" in reason(server.rest_port, MODEL="subtraction")


def test_a_port_without_http_is_not_ready(server):
    assert reason(server.port).endswith("; is it --rest_api_port?")


def test_a_closed_port_is_not_ready():
    port = servers.free_port()
    assert reason(port).startswith(f"nothing listens on port {port}")


def test_a_wrong_answer_is_not_ready():
    with replying(response(RIGHT.replace(b"17", b"18"))) as port:
        assert 'status 200: {    "outputs"' in reason(port)


def test_an_answer_that_starts_like_the_correct_one_is_not_ready():
    with replying(response(RIGHT.replace(b"17", b"170"))) as port:
        reason(port)


def test_an_error_that_contains_the_correct_answer_is_not_ready():
    with replying(response(RIGHT, status=b"500 Internal Server Error")) as port:
        assert "status 500" in reason(port)


def test_a_correct_answer_in_pieces_is_ready_before_the_connection_ends():
    whole = response(RIGHT)
    with replying(whole[:40], whole[40:-20], whole[-20:], hang=True) as port:
        assert check(port) == (0, "")


def test_a_hanging_server_times_out():
    with replying(hang=True) as port:
        start = time.monotonic()
        assert reason(port, TIMEOUT="1") == f"port {port} did not reply within 1 s"
        assert 1 <= time.monotonic() - start < 4


def test_a_reply_that_hangs_halfway_times_out():
    with replying(response(RIGHT)[:60], hang=True) as port:
        assert reason(port, TIMEOUT="1") == f"port {port} did not reply within 1 s"


def test_a_closed_connection_is_not_ready():
    with replying() as port:
        assert (
            reason(port)
            == f"port {port} closed the connection without a reply; is it --rest_api_port?"
        )


def test_a_reply_without_an_end_is_cut_off():
    with replying(response(b"{" + b"7" * 1_000_000)) as port:
        assert len(reason(port)) < 500


def test_the_expected_answer_is_correct():
    question, answer = re.search(r"question='(\d+\+\d+)' answer=(\d+)", SCRIPT.read_text()).groups()
    assert sum(map(int, question.split("+"))) == int(answer)


@pytest.mark.parametrize("script", sorted(ROOT.glob("serving/**/*.sh")), ids=lambda path: path.name)
def test_scripts_have_valid_syntax(script):
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
