"""The program that imports TensorFlow once and then forks a `seq2sum-serve` for each request.

    python forkserver.py

Importing TensorFlow costs seconds of CPU, and more than a hundred cases have a server of their
own. What is forked is a process that has imported modules and done nothing else: no session, no
channel, one thread. From there it runs the command as a fresh process would.

A line of JSON on stdin asks for a server, `{"arguments": [...], "log": path}`; the line
`{"started": pid}` on stdout answers it, and only then may the next one be sent. The line
`{"ended": pid, "status": wait status}` comes whenever one has ended.
"""

from __future__ import annotations

import json
import os
import selectors
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # as the command itself sets them
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # else numpy starts threads when it is imported

from seq2sum_serving.embedded import command, server  # noqa: F401 `server` brings TensorFlow


def main() -> int | None:
    """Serves requests until stdin ends; in a forked server, runs it and gives back its code."""
    [_] = Path("/proc/self/task").iterdir()  # a fork would lose any further thread
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
                    leave(waiting, asked["log"])
                    return command.main(asked["arguments"])
                waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                tell(started=pid)
            else:
                return None


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def leave(waiting: selectors.BaseSelector, log: str) -> None:
    """In a forked server: closes what is this program's, and writes to its own log."""
    for key in list(waiting.get_map().values()):
        if key.data is not None:
            os.close(key.fd)
    waiting.close()
    nothing = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(file)


if __name__ == "__main__":
    sys.exit(main())
