"""Fake servers in separate processes, for tests that kill or freeze them."""

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
    """A fake server of one version in a separate process, which ends with its parent.

    Args:
        version: The version that it serves; answers contain it, so it identifies the server.
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

    def wait_until_listening(self) -> Self:
        """Waits until the server listens, and sets the port."""
        line = self._line()
        assert line.startswith("listening "), line
        self.port = int(line.removeprefix("listening "))
        return self

    def wait_for_call(self) -> None:
        """Waits for the next call; works only with a delay above 0."""
        assert self._line() == "called"

    def kill(self) -> None:
        """Kills the process; its connections are reset."""
        self.process.kill()
        self.process.wait()
        self._close()

    def freeze(self) -> None:
        """Stops the process: the system still acknowledges bytes, but the server reads none."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)  # the signal takes effect with a delay

    def stop(self) -> None:
        """Kills the process if it is running."""
        if hasattr(self, "process") and self.process.poll() is None:
            self.kill()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def _close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class PrintingServer(FakeServer):
    """Prints a line for each call, if it has a delay."""

    def _respond(self, method, request, context):
        if self.delay:  # without a delay there are too many calls
            print("called", flush=True)
        return super()._respond(method, request, context)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind in (("host", str), ("port", int), ("version", int), ("delay", float)):
        parser.add_argument(name, type=kind)
    options = parser.parse_args()
    server = PrintingServer(
        versions=[options.version], host=options.host, port=options.port, delay=options.delay
    ).start()
    print("listening", server.target.rpartition(":")[2], flush=True)
    sys.stdin.read()  # until the parent ends
    server.stop()


if __name__ == "__main__":
    main()
