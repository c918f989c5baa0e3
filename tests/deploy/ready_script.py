"""ready.sh as a process, and servers that reply to it with the bytes that a test passes."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
from contextlib import contextmanager

from support.paths import ROOT

SCRIPT = ROOT / "serving" / "config" / "ready.sh"
METADATA = b'{\n"model_spec":{\n "name": "m",\n "version": "%d"\n}\n,\n"metadata": {}}'
RIGHT = b'{\n    "outputs": {\n        "answers": [\n            "17"\n        ]\n    }\n}'
SUM = {"inputs": {"questions": ["9+8"]}, "expect": {"answers": ["17"]}}


def check(port, **variables):
    """The script's exit code and its error output, for a server on this port."""
    command = ["bash", SCRIPT, str(port)]
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout == ""
    return done.returncode, done.stderr


def reason(port, **variables):
    """The reason why the server is not ready."""
    code, line = check(port, **variables)
    assert code == 1
    assert re.fullmatch(r"not ready: [^\n]+\n", line)
    return line.removeprefix("not ready: ").rstrip()


def response(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n\r\n%s" % (status, body)


def is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return bool(end) and len(body) >= int(length[1] if length else 0)


@contextmanager
def replying(*parts: bytes, hang: bool = False, version: int = 1, requests: list | None = None):
    """Runs a server that replies to the first request with the version of the label.

    It sends `parts` in reply to the next request, and then closes the connection or hangs. With
    version 0, the first request gets these parts. `requests` collects what the script sent.
    """
    over = threading.Event()

    def serve():
        replies = ([(response(METADATA % version),)] if version else []) + [parts]
        for reply in replies:
            try:
                connection, _ = listening.accept()
            except OSError:  # the script sends no request if the version has no golden requests
                return
            with connection:
                connection.settimeout(10)
                request = b""
                while not is_whole(request) and (piece := connection.recv(100_000)):
                    request += piece
                if requests is not None:
                    requests.append(request)
                try:
                    for part in reply:
                        connection.sendall(part)
                except OSError:  # the script has exited
                    return
                if hang and reply is parts:
                    over.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
