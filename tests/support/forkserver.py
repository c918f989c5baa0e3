"""The program that imports TensorFlow once and then forks a command for each request.

    python forkserver.py seq2sum-serve|seq2sum-train

Importing TensorFlow takes seconds of CPU, more than a hundred cases start a server, and dozens of
tests start a training. A forked process has imported modules and done nothing else: no session, no
channel, one thread. It runs the command as a new process in the foreground would.

A request is a line of JSON on stdin, `{"arguments": [...], "folder": path, "out": path, "errors":
path}`. The reply is the line `{"started": pid}` on stdout; the next request may be sent only after
it. The line `{"ended": pid, "status": wait status}` reports the end of a process.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # as the server itself sets them
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # else numpy starts threads when it is imported

MODULES = {
    "seq2sum-serve": ["seq2sum_serving.embedded.cli", "seq2sum_serving.embedded.server"],
    "seq2sum-train": [
        "seq2sum_training.cli",
        "seq2sum_training.fit.training_loop",
        "seq2sum_training.evaluate.exhaustive_evaluation",
        "seq2sum_training.export.publish",
        "seq2sum_training.fit.fit_run",
        "seq2sum_training.fit.trainer",
    ],
}
"""The module of each command's `main`, and modules that it imports later."""


def loaded(name: str) -> Callable[[Sequence[str]], int]:
    """Returns the command's `main`, with all modules imported."""
    if name == "seq2sum-serve":
        from seq2sum_serving.embedded import partial_tensorflow

        partial_tensorflow.install()  # as the command itself does
    command, *_ = [import_module(module) for module in MODULES[name]]
    return command.main


def main() -> int | None:
    """Serves requests until stdin ends; in a forked process, runs the command instead."""
    command = loaded(sys.argv[1])
    [_] = Path("/proc/self/task").iterdir()  # a fork would lose any further thread
    gc.freeze()  # a collection would copy all modules in each process
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
    while True:
        for key, _ in waiting.select():
            if key.data is not None:
                waiting.unregister(key.fd)
                os.close(key.fd)
                report(ended=key.data, status=os.waitpid(key.data, 0)[1])
            elif line := sys.stdin.readline():
                request = json.loads(line)
                if (pid := os.fork()) == 0:
                    detach(waiting, request)
                    return command(request["arguments"])
                waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                report(started=pid)
            else:
                return None


def report(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


def detach(waiting: selectors.BaseSelector, request: dict[str, Any]) -> None:
    """In a forked process: closes the fork server's files, and redirects the output."""
    for key in list(waiting.get_map().values()):
        if key.data is not None:
            os.close(key.fd)
    waiting.close()
    nothing = os.open(os.devnull, os.O_RDONLY)
    appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    out, errors = (os.open(request[name], appending, 0o644) for name in ("out", "errors"))
    for source, target in ((nothing, 0), (out, 1), (errors, 2)):
        os.dup2(source, target)
        os.close(source)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    os.chdir(request["folder"])


if __name__ == "__main__":
    sys.exit(main())
