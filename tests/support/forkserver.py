"""The program that imports TensorFlow once and then forks a command for each request.

    python forkserver.py seq2sum-serve|seq2sum-train

Importing TensorFlow costs seconds of CPU, more than a hundred cases have a server of their own,
and dozens of trainings are begun. What is forked is a process that has imported modules and done
nothing else: no session, no channel, one thread. From there it runs the command as a fresh
process would that was started in the foreground.

A line of JSON on stdin asks for one, `{"arguments": [...], "folder": path, "out": path, "errors":
path}`; the line `{"started": pid}` on stdout answers it, and only then may the next one be sent.
The line `{"ended": pid, "status": wait status}` comes whenever one has ended.
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
"""Where each command's `main` is, and what it would import later."""


def loaded(name: str) -> Callable[[Sequence[str]], int]:
    """The command, with all that it needs imported."""
    command, *_ = [import_module(module) for module in MODULES[name]]
    return command.main


def main() -> int | None:
    """Serves requests until stdin ends; in a forked process, runs it and gives back its code."""
    command = loaded(sys.argv[1])
    [_] = Path("/proc/self/task").iterdir()  # a fork would lose any further thread
    gc.freeze()  # what is imported is for ever: to look through it would copy it in each process
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
    while True:
        for key, _ in waiting.select():
            if key.data is not None:
                waiting.unregister(key.fd)
                os.close(key.fd)
                tell(ended=key.data, status=os.waitpid(key.data, 0)[1])
            elif line := sys.stdin.readline():
                asked = json.loads(line)
                if (pid := os.fork()) == 0:
                    leave(waiting, asked)
                    return command(asked["arguments"])
                waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                tell(started=pid)
            else:
                return None


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def leave(waiting: selectors.BaseSelector, asked: dict[str, Any]) -> None:
    """In a forked process: closes what is this program's, and writes to files of its own."""
    for key in list(waiting.get_map().values()):
        if key.data is not None:
            os.close(key.fd)
    waiting.close()
    nothing = os.open(os.devnull, os.O_RDONLY)
    appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    out, errors = (os.open(asked[name], appending, 0o644) for name in ("out", "errors"))
    for source, target in ((nothing, 0), (out, 1), (errors, 2)):
        os.dup2(source, target)
        os.close(source)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    os.chdir(asked["folder"])


if __name__ == "__main__":
    sys.exit(main())
