"""Every server that tests talk to, started by one command template.

Set SEQ2SUM_SERVER_COMMAND to run the suite against another server that speaks the protocol,
for example a real tensorflow_model_server:

    SEQ2SUM_SERVER_COMMAND="tensorflow_model_server --port={port} --rest_api_port={rest_port}
        --model_name={model_name} --model_base_path={model_base_path}
        --model_config_file={model_config_file} {extra_flags}" make test

Tests of what only the embedded server does are marked `embedded` and left out then. Where no real
server is at hand, `other_server.py` shows which tests rest on what only the embedded one does.
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

CALLERS = "--grpc_max_threads=512"
"""The default, four for each core, refuses the callers that come on top."""

_ports_given: set[int] = set()


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
        forked: bool = False,
    ) -> Server:
        """Starts the server, without waiting for it.

        Args:
            base_path: That of the one model; None with a `config`.
            folder: Where the log goes.
            model_name: Name of the one model.
            config: The model config file.
            flags: Further flags.
            port: The gRPC port; None for a free one.
            rest: Whether to open the REST port too.
            forked: Whether it may be forked from a process that has TensorFlow loaded.
        """
        port = port or free_port()
        rest_port = free_port() if rest else 0
        line = processes.command(
            port=port,
            rest_port=rest_port,
            model_name=model_name,
            model_base_path=shlex.quote(str(base_path or "")),
            model_config_file=shlex.quote(str(config or "")),
            extra_flags=shlex.join([CALLERS, *flags]),
        )
        log = folder / f"server-{port}.log"
        log.touch()
        process = (processes.forked if forked else processes.started)(line, log)
        return cls(process, port, log, rest_port)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.rest_port}"

    def is_open(self) -> bool:
        """Whether all of its ports are."""
        for port in filter(None, (self.port, self.rest_port)):
            with socket.socket() as probe:
                probe.settimeout(0.5)
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    return False
        return True

    def wait_until_open(self) -> Server:
        """Waits for the port, which opens when the model is available."""
        deadline = time.monotonic() + SECONDS_TO_START
        while not self.is_open():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start:\n{self.log.read_text()}")
            time.sleep(0.05)
        return self

    def wait_for_exit(self) -> tuple[int, str]:
        """The exit code and the last line of the log."""
        code = self.process.wait(SECONDS_TO_START)
        return code, self.log.read_text().strip().splitlines()[-1]

    def stop(self) -> None:
        """Ends the process, gently at first; one that is gone already is fine."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def free_port() -> int:
    """A loopback port that is free now and was not given out before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _ports_given:
            _ports_given.add(port)
            return port
