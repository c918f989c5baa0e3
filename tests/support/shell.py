"""The `seq2sum` command as a process, and a server that is faster than the command."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import time

from seq2sum.addition import fake_replies
from seq2sum.testing import FakeServer
from support.paths import BIN

NO_QUESTION = "is not a question: write two numbers like '53+42'"


class Instant(FakeServer):
    """Answers 7 to every question, at once: the reply has one value for all rows."""

    def _respond(self, method, request, _):
        self.calls.append(method)
        self._stopped.wait(self.delay)
        reply = fake_replies.answers("seq2sum", 1, ["7"], [0], 0.5)
        for tensor in reply.outputs.values():
            tensor.tensor_shape.dim[0].size = len(request.inputs["questions"].string_val)
        return reply


def start(*line, target, **options):
    """Starts the command as a foreground job: background jobs of a shell ignore SIGINT."""
    return subprocess.Popen(
        ["env", "--default-signal=INT,PIPE", BIN / "seq2sum", *map(str, line), "--target", target],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options,
    )


def at_a_terminal(*line, target):
    """Runs the command at a terminal; returns the exit code and the output."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    # Where answers go to a file, standard output is not the terminal either.
    out = subprocess.DEVNULL if "--output" in line else theirs
    process = start(*line, target=target, stdout=out, stderr=theirs, env=environment)
    os.close(theirs)
    output = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while part := os.read(ours, 4096):
            output += part
    os.close(ours)
    return process.wait(timeout=20), output.decode()


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
