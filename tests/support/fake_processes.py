"""Fake servers in processes of their own, where being killed or stopped must be real."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from typing import Self

from seq2sum.testing import FakeServer

SECONDS_TO_START = 60


class FakeProcess:
    """A fake server of one version in a process of its own. It ends with its parent.

    Args:
        version: The version that it serves: answers tell who gave them.
        host: Address to listen on.
        port: Port to listen on; 0 for a free one.
        delay: Seconds before each reply.
    """

    def __init__(
        self, version: int = 1, *, host: str = "127.0.0.1", port: int = 0, delay: float = 0.0
    ) -> None:
        self.version, self.host, self.port, self.delay = version, host, port, delay

    @property
    def target(self) -> str:
        return f"{self.host}:{self.port}"

    def start(self) -> Self:
        """Starts the process, without waiting until it listens."""
        line = [sys.executable, __file__, self.host, str(self.port), str(self.version)]
        self.process = subprocess.Popen(
            [*line, str(self.delay)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def listening(self) -> Self:
        """Waits until it listens."""
        told = self._line()
        assert told.startswith("listening "), told
        self.port = int(told.removeprefix("listening "))
        return self

    def asked(self) -> None:
        """Waits until the next call has come."""
        assert self._line() == "asked"

    def kill(self) -> None:
        """Ends it as a power cut would; its connections are reset."""
        self.process.kill()
        self.process.wait()
        self._close()

    def freeze(self) -> None:
        """Stops it: its system still acknowledges bytes, but nobody reads them."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)  # it may run on for a moment

    def stop(self) -> None:
        """Ends it, if it was started and has not ended yet."""
        if hasattr(self, "process") and self.process.poll() is None:
            self.kill()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def _close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Telling(FakeServer):
    """Says on its output that a call has come."""

    def _respond(self, method, request, context):
        if self.delay:  # one that is quick is asked too often to tell
            print("asked", flush=True)
        return super()._respond(method, request, context)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind in (("host", str), ("port", int), ("version", int), ("delay", float)):
        parser.add_argument(name, type=kind)
    told = parser.parse_args()
    server = Telling(
        versions=[told.version], host=told.host, port=told.port, delay=told.delay
    ).start()
    print("listening", server.target.rpartition(":")[2], flush=True)
    sys.stdin.read()  # its end is the parent's
    server.stop()


if __name__ == "__main__":
    main()
