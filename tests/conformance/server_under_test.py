"""The server that a case talks to, with its own folder and ports."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc
from conformance.case import ServerSpec
from conformance.folder import MODEL_CONFIG, Folder
from support import processes, servers
from support.processes import Process
from tensorflow_serving.apis import get_model_status_pb2

Start = Callable[[Sequence[str], Path], Process]

PORTS = ("grpc", "rest")
SECONDS_TO_STOP = 10
UNLIMITED = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Otherwise channels of different servers share connections and their backoff.
    ("grpc.use_local_subchannel_pool", 1),
)
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"


class ServerUnderTest:
    """A server process that a case may stop and start again."""

    channel_options = UNLIMITED

    def __init__(
        self, spec: ServerSpec, path: Path, start: Start, template: str = processes.TEMPLATE
    ) -> None:
        self.folder = Folder.create(path, spec)
        self.log = path / "server.log"
        self._spec, self._start, self._template = spec, start, template
        self.launch()

    def launch(self) -> None:
        """Starts the process, without waiting for it."""
        spec, expand = self._spec, self.folder.expand_paths
        self.ports = {which: servers.free_port() for which in PORTS}
        target = f"127.0.0.1:{self.ports['grpc']}"
        self.channel = grpc.insecure_channel(target, self.channel_options)
        config = "" if spec.config is None else str(self.folder.path / MODEL_CONFIG)
        command = self._template.format(
            port=self.ports["grpc"],
            rest_port=self.ports["rest"],
            model_name=shlex.quote(spec.model_name),
            model_base_path=shlex.quote(expand(spec.model_base_path)),
            model_config_file=shlex.quote(config),
            extra_flags=shlex.join(map(expand, spec.flags)),
        )
        self.process = self._start(shlex.split(command), self.log)

    def is_open(self, which: str) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex(("127.0.0.1", self.ports[which])) == 0

    def wait_until_open(
        self, which: Sequence[str] = PORTS, *, timeout: float = servers.SECONDS_TO_START
    ) -> bool:
        """Returns whether the ports open, in time and before the process ends."""
        deadline = time.monotonic() + timeout
        while not all(map(self.is_open, which)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def stop(self) -> None:
        """Terminates the process, and kills it if that takes too long."""
        self.channel.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.signal(number)
            try:
                self.process.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                continue
            return

    def call(self, path: str, data: bytes, timeout: float) -> tuple[str, str, bytes]:
        """Makes a call with raw bytes; returns code, message and reply."""
        try:
            return "OK", "", self.channel.unary_unary(path)(data, timeout=timeout)
        except grpc.RpcError as error:
            return error.code().name, error.details(), b""

    def states(self, model: str) -> dict[str, str]:
        """Returns the state of each version; empty if the call fails."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = model
        _, _, data = self.call(STATUS, request.SerializeToString(), 10)
        reply = get_model_status_pb2.GetModelStatusResponse.FromString(data)
        state = get_model_status_pb2.ModelVersionStatus.State.Name
        return {str(row.version): state(row.state) for row in reply.model_version_status}
