"""The `seq2sum` command as a process, and a server that is quicker than it."""

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
    """Answers 7 to whatever it is asked, in no time: a short reply stands for all rows."""

    def respond(self, method, request, _):
        self.calls.append(method)
        self._stopped.wait(self.delay)
        reply = fake_replies.answers("seq2sum", 1, ["7"], [0], 0.5)
        for tensor in reply.outputs.values():
            tensor.tensor_shape.dim[0].size = len(request.inputs["questions"].string_val)
        return reply


def start(*line, target, **how):
    """Starts the command, as if in the foreground: background jobs of a shell ignore Ctrl-C."""
    return subprocess.Popen(
        ["env", "--default-signal=INT,PIPE", BIN / "seq2sum", *map(str, line), "--target", target],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | how,
    )


def at_a_terminal(*line, target):
    """Runs it with a terminal for what it shows; gives back the exit code and all of that."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    quiet = "--output" in line  # where the answers go elsewhere, standard output does too
    out = subprocess.DEVNULL if quiet else theirs
    process = start(*line, target=target, stdout=out, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    return process.wait(timeout=20), shown.decode()


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
