"""Three embedded servers as replicas: on addresses of their own, and one port.

Each serves the same model under a version of its own: an answer tells who gave it.
"""

from __future__ import annotations

import shutil
import signal
import socket
import time
from collections.abc import Iterable
from pathlib import Path

from support import servers

FLAGS = (
    "--enable_grpc_healthcheck_service=true",
    "--grpc_max_threads=256",
    # Connections end by themselves all the time, as they do every five minutes in production.
    "--grpc_channel_arguments="
    + ",".join(
        (
            "grpc.max_connection_age_ms=1500",
            "grpc.max_connection_age_grace_ms=30000",
            "grpc.http2.max_ping_strikes=0",
        )
    ),
)


class Replica:
    """A server that can be killed, stopped for a while, and started again on its address.

    Args:
        number: Its version, and the end of its address.
        port: That of all replicas.
        folder: For its model and its log.
        version: A version directory, which is copied.
    """

    def __init__(self, number: int, *, port: int, folder: Path, version: Path) -> None:
        self.number, self.port = number, port
        self.host = f"127.0.0.{number}"
        self._folder = folder / str(number)
        self._base = self._folder / "seq2sum"
        shutil.copytree(version, self._base / str(number))

    @property
    def target(self) -> str:
        return f"{self.host}:{self.port}"

    def start(self) -> Replica:
        """Starts it, without waiting for it."""
        self._server = servers.Server.launch(
            self._base,
            self._folder,
            port=self.port,
            flags=[*FLAGS, f"--host={self.host}"],
            forked=True,
        )
        return self

    @property
    def runs(self) -> bool:
        return hasattr(self, "_server") and self._server.process.poll() is None

    def wait_until_listening(self) -> Replica:
        """Waits for its port, which opens when its model is available."""
        deadline = time.monotonic() + servers.SECONDS_TO_START
        while not self._listens():
            if not self.runs or time.monotonic() > deadline:
                raise AssertionError(f"no replica {self.number}:\n{self._server.log.read_text()}")
            time.sleep(0.02)
        return self

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self._server.process.kill()
        self._server.process.wait(servers.SECONDS_TO_STOP)

    def freeze(self) -> None:
        """Stops it: its system still takes connections and bytes, and nobody reads them."""
        self._server.process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + servers.SECONDS_TO_STOP
        while self._state() != "T":  # another process waits for it: we can only look
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def thaw(self) -> None:
        """Lets it go on."""
        self._server.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ends it, if it was started and has not ended yet."""
        if self.runs:
            self.kill()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex((self.host, self.port)) == 0

    def _state(self) -> str:
        stat = Path(f"/proc/{self._server.process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0]


class Replicas:
    """Several of them by number; used by `with`."""

    def __init__(self, numbers: Iterable[int], *, folder: Path, version: Path) -> None:
        self.port = servers.free_port()
        self._all = {
            number: Replica(number, port=self.port, folder=folder, version=version)
            for number in numbers
        }

    def __getitem__(self, number: int) -> Replica:
        return self._all[number]

    def hosts(self, *numbers: int) -> list[str]:
        """The addresses of these."""
        return [self._all[number].host for number in numbers]

    def targets(self, *numbers: int) -> list[str]:
        """The same, with the port."""
        return [self._all[number].target for number in numbers]

    def run(self, *numbers: int) -> None:
        """Starts those of these that do not run, and waits for them."""
        missing = [self._all[number] for number in numbers if not self._all[number].runs]
        for replica in missing:
            replica.start()
        for replica in missing:
            replica.wait_until_listening()

    def __enter__(self) -> Replicas:
        return self

    def __exit__(self, *_: object) -> None:
        for replica in self._all.values():
            replica.stop()
