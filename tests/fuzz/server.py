"""A server that is fuzzed: started from a command, asked, watched, started again if it ends."""

from __future__ import annotations

import shlex
import signal
import socket
import subprocess
import time
from pathlib import Path

import grpc
from conformance import exchange
from conformance.case import FIXTURE, FIXTURE2
from fuzz import sending
from fuzz.inputs import Call, Conversation, Input, Rest
from fuzz.replies import GrpcReply, NoReply, Reply
from support import processes, servers

MODELS = f"""
model_config_list {{
  config {{
    name: "fixture" base_path: "{FIXTURE}" model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
    version_labels {{ key: "stable" value: 1 }}
    version_labels {{ key: "canary" value: 2 }}
    version_labels {{ key: "ghost" value: 5 }}
  }}
  config {{
    name: "solo" base_path: "{FIXTURE}" model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 3 }} }}
  }}
  config {{ name: "odd" base_path: "{FIXTURE2}" model_platform: "tensorflow" }}
}}
"""
OURS = f"{shlex.join(processes.EMBEDDED)} {processes.FLAGS}"
"""The command of the embedded server."""
FLAGS = ("--allow_version_labels_for_unavailable_models=true", "--grpc_max_threads=64")
OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", 1 << 20),
    # After a restart a channel must not wait for the back-off of another one.
    ("grpc.use_local_subchannel_pool", 1),
]
SECONDS = 20.0
"""In which every call must be answered; long, since other programs may use the machine."""
SECONDS_TO_STOP = 20
ATTEMPTS = 3
"""At starting: another program may take a port before the server does."""


class Server:
    """One process on loopback ports of its own."""

    def __init__(self, template: str, folder: Path, flags: tuple[str, ...] = ()) -> None:
        folder.mkdir(parents=True)
        self.template, self.folder, self.flags = template, folder, flags
        self.log = folder / "server.log"
        self.starts = 0
        (folder / "models.config").write_text(MODELS)
        self.start()

    def start(self) -> None:
        """Starts the process and waits for its ports."""
        self.starts += 1
        for _ in range(ATTEMPTS):
            if self._start():
                return
        raise SystemExit(f"the server did not start:\n{self.last_lines()}")

    def _start(self) -> bool:
        """Whether the server opened ports that were free a moment ago."""
        self.grpc_port, self.rest_port = servers.free_port(), servers.free_port()
        line = self.template.format(
            port=self.grpc_port,
            rest_port=self.rest_port,
            model_name="fuzzed",
            model_base_path="",
            model_config_file=shlex.quote(str(self.folder / "models.config")),
            extra_flags=shlex.join([*FLAGS, *self.flags]),
        )
        self.process = processes.start_process(shlex.split(line), self.log)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}", OPTIONS)
        deadline = time.monotonic() + servers.SECONDS_TO_START
        for port in (self.grpc_port, self.rest_port):
            while not accepts(port):
                if not self.is_alive() or time.monotonic() > deadline:
                    self.stop()
                    return False
                time.sleep(0.05)
        return True

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        self.channel.close()
        if self.is_alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def restart(self) -> None:
        self.stop()
        self.start()

    def ask(self, question: Input, *, due: int | None = None) -> Reply:
        """Sends one input and gives back what came.

        Args:
            due: Replies that a conversation must get; None if that is not known.
        """
        match question:
            case Call():
                return self.call(question)
            case Rest():
                return sending.rest(self.rest_port, question, SECONDS)
            case Conversation():
                port = self.grpc_port if question.port == "grpc" else self.rest_port
                return sending.converse(port, question, due, SECONDS)

    def call(self, question: Call) -> Reply:
        service = exchange.METHODS[question.method][0]
        call = self.channel.unary_unary(service + question.method)
        try:
            return GrpcReply("OK", "", call(question.data, timeout=SECONDS))
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                return NoReply(f"no reply to the call within {SECONDS:g} s")
            return GrpcReply(error.code().name, error.details() or "")
        except ValueError as error:
            return NoReply(f"the server was being started again: {error}")

    def last_lines(self, count: int = 8) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def log_from(self, place: int) -> str:
        """The log after a number of bytes."""
        return self.log.read_bytes()[place:].decode("utf-8", "surrogateescape")


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
