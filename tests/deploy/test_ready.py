"""ready.sh: a server is ready when the label answers, and right; else one line says why not."""

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


def asked(port, **variables):
    """The script's exit code and what it says, for a server on this port."""
    line = ["bash", SCRIPT, str(port)]
    environment = os.environ | variables
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout == ""
    return done.returncode, done.stderr


def refused(port, **variables):
    """The one line that says why it is not ready."""
    code, told = asked(port, **variables)
    assert code == 1
    assert re.fullmatch(r"not ready: [^\n]+\n", told)
    return told.removeprefix("not ready: ").rstrip()


@contextmanager
def saying(*parts: bytes, hang: bool = False) -> Iterator[int]:
    """A server that says this to the first who asks, and hangs up or does not."""
    over = threading.Event()

    def talk():
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(10)
            question = b""
            while b"9+8" not in question:
                question += connection.recv(4096)
            try:
                for part in parts:
                    connection.sendall(part)
            except OSError:  # the script has gone
                return
            if hang:
                over.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        talking = threading.Thread(target=talk)
        talking.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            talking.join()


def response(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n\r\n%s" % (status, body)


@pytest.fixture(scope="module")
def server(small_version, tmp_path_factory):
    """A real server, with the label stable."""
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


def test_a_server_whose_label_answers_right_is_ready(server):
    assert asked(server.rest_port) == (0, "")


def test_the_port_of_tensorflow_serving_is_the_default():
    assert "port=${1:-8501}" in SCRIPT.read_text()


def test_a_label_that_is_not_there_is_told(server):
    assert refused(server.rest_port, LABEL="tomorrow") == (
        "9+8 by label tomorrow of seq2sum is 17, but the reply has status 400 and says "
        '{    "error": "Unrecognized servable version label: tomorrow"}'
    )


def test_a_model_that_is_not_there_is_told(server):
    assert "label stable of subtraction" in refused(server.rest_port, MODEL="subtraction")


def test_a_port_that_speaks_no_http_is_told(server):
    assert refused(server.port).endswith("; is it --rest_api_port?")


def test_a_closed_port_is_told():
    port = servers.free_port()
    assert refused(port).startswith(f"nothing listens on port {port}")


def test_a_wrong_answer_is_not_ready():
    with saying(response(RIGHT.replace(b"17", b"18"))) as port:
        assert 'status 200 and says {    "outputs"' in refused(port)


def test_a_right_answer_that_only_begins_so_is_not_ready():
    with saying(response(RIGHT.replace(b"17", b"170"))) as port:
        refused(port)


def test_an_error_that_quotes_the_right_answer_is_not_ready():
    with saying(response(RIGHT, status=b"500 Internal Server Error")) as port:
        assert "status 500" in refused(port)


def test_a_right_answer_counts_before_the_connection_ends_and_in_pieces():
    whole = response(RIGHT)
    with saying(whole[:40], whole[40:-20], whole[-20:], hang=True) as port:
        assert asked(port) == (0, "")


def test_a_server_that_hangs_is_not_waited_for():
    with saying(hang=True) as port:
        began = time.monotonic()
        assert refused(port, TIMEOUT="1") == f"port {port} did not reply within 1 s"
        assert 1 <= time.monotonic() - began < 4


def test_a_server_that_hangs_in_mid_reply_is_not_waited_for():
    with saying(response(RIGHT)[:60], hang=True) as port:
        assert refused(port, TIMEOUT="1") == f"port {port} did not reply within 1 s"


def test_a_server_that_hangs_up_is_told():
    with saying() as port:
        assert refused(port) == f"port {port} hung up without a reply; is it --rest_api_port?"


def test_a_reply_without_an_end_is_cut_off():
    with saying(response(b"{" + b"7" * 1_000_000)) as port:
        assert len(refused(port)) < 500


def test_its_own_answer_is_right():
    question, answer = re.search(r"question='(\d+\+\d+)' answer=(\d+)", SCRIPT.read_text()).groups()
    assert sum(map(int, question.split("+"))) == int(answer)


@pytest.mark.parametrize("script", sorted(ROOT.glob("serving/**/*.sh")), ids=lambda path: path.name)
def test_scripts_are_right_for_bash(script):
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
