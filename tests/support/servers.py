"""The servers under test, started from one command template.

Set SEQ2SUM_SERVER_COMMAND to run the suite against another server that speaks the protocol,
for example a real tensorflow_model_server:

    SEQ2SUM_SERVER_COMMAND="tensorflow_model_server --port={port} --rest_api_port={rest_port}
        --model_name={model_name} --model_base_path={model_base_path}
        --model_config_file={model_config_file} {extra_flags}" make test

Tests of features that only the embedded server has are marked `embedded` and left out then. Without
a real server, `tests/other_server.py` shows which other tests depend on such features.
"""

from __future__ import annotations

import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support import processes

SECONDS_TO_START = 90
SECONDS_TO_STOP = 40

THREADS = "--grpc_max_threads=512"
"""More than the default of four per core, so that no caller is refused."""

_returned_ports: set[int] = set()


@dataclass
class Server:
    """A server process on free loopback ports."""

    process: processes.Process
    port: int
    log: Path
    rest_port: int = 0

    @classmethod
    def launch(
        cls,
        base_path: Path | None,
        folder: Path,
        *,
        model_name: str = "seq2sum",
        config: Path | None = None,
        flags: Sequence[str] = (),
        port: int | None = None,
        rest: bool = False,
        rest_port: int | None = None,
        forked: bool = False,
        template: str = processes.TEMPLATE,
    ) -> Server:
        """Starts the server, without waiting for it.

        Args:
            base_path: Base path of the model; None with a `config`.
            folder: Folder of the log.
            model_name: Name of the model.
            config: The model config file.
            flags: Further flags.
            port: The gRPC port; None for a free port.
            rest: Whether to open the REST port too.
            rest_port: The REST port; None for a free port.
            forked: Whether to fork it from a process that has imported TensorFlow.
            template: The command line.
        """
        port = port or free_port()
        if rest_port is None:
            rest_port = free_port() if rest else 0
        line = processes.command(
            template,
            port=port,
            rest_port=rest_port,
            model_name=model_name,
            model_base_path=shlex.quote(str(base_path or "")),
            model_config_file=shlex.quote(str(config or "")),
            extra_flags=shlex.join([THREADS, *flags]),
        )
        log = folder / f"server-{port}.log"
        log.touch()
        process = (processes.fork_process if forked else processes.start_process)(line, log)
        return cls(process, port, log, rest_port)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.rest_port}"

    def is_open(self) -> bool:
        """Returns whether all of its ports are open."""
        for port in filter(None, (self.port, self.rest_port)):
            with socket.socket() as probe:
                probe.settimeout(0.5)
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    return False
        return True

    def wait_until_open(self) -> Server:
        """Waits for the ports, which open when the models are available."""
        deadline = time.monotonic() + SECONDS_TO_START
        while not self.is_open():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start:\n{self.log.read_text()}")
            time.sleep(0.05)
        return self

    def wait_for_exit(self) -> tuple[int, str]:
        """Returns the exit code and the last line of the log."""
        code = self.process.wait(SECONDS_TO_START)
        return code, self.log.read_text().strip().splitlines()[-1]

    def stop(self) -> None:
        """Stops the process, and kills it if it takes too long."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def free_ports() -> tuple[int, int]:
    """Returns two free loopback ports that follow each other, as 8500 and 8501 do."""
    while True:
        port = free_port()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port + 1)) != 0 and port + 1 not in _returned_ports:
                _returned_ports.add(port + 1)
                return port, port + 1


def free_port() -> int:
    """Returns a free loopback port that was not returned before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _returned_ports:
            _returned_ports.add(port)
            return port
