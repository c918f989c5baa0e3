"""Servers on different loopback addresses: all have the same port, as in production."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from support import servers


@dataclass
class LoopbackServer(servers.Server):
    """An embedded server on a loopback address."""

    host: str = "127.0.0.1"

    @classmethod
    def launch_on(
        cls,
        host: str,
        base_path: Path | None,
        folder: Path,
        *,
        flags: Sequence[str],
        **options: Any,
    ) -> Self:
        """Starts a server, without waiting for it; see `Server.launch`."""
        folder.mkdir(parents=True, exist_ok=True)
        flags = [*flags, f"--host={host}"]
        server = cls.launch(base_path, folder, flags=flags, forked=True, **options)
        server.host = host
        return server

    @property
    def target(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.rest_port}"

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def is_open(self) -> bool:
        for port in filter(None, (self.port, self.rest_port)):
            with socket.socket() as connection:
                connection.settimeout(0.5)
                if connection.connect_ex((self.host, port)) != 0:
                    return False
        return True

    def kill(self) -> None:
        """Kills the process, which cuts calls in flight."""
        self.process.kill()
        self.process.wait(servers.SECONDS_TO_STOP)

    def freeze(self) -> None:
        """Stops the process: the kernel still accepts connections and bytes, which nobody reads."""
        self.process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + servers.SECONDS_TO_STOP
        while self._process_state() != "T":  # not our child: it can only be polled
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def thaw(self) -> None:
        """Continues a stopped process."""
        self.process.send_signal(signal.SIGCONT)

    def _process_state(self) -> str:
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0]
