"""A server under fuzzing: a process that is started, called, and restarted after a crash."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import grpc
from conformance import case, exchange
from conformance.server_under_test import UNLIMITED, ServerUnderTest
from fuzz import sending
from fuzz.inputs import Call, Conversation, Input, Rest
from fuzz.replies import GrpcReply, NoReply, Reply
from support import processes

EMBEDDED = f"{shlex.join(processes.EMBEDDED)} {processes.FLAGS}"
"""The command of the embedded server."""
FLAGS = ("--allow_version_labels_for_unavailable_models=true", "--grpc_max_threads=64")
TIMEOUT_SECONDS = 20.0
"""For every call; long, because the machine may be busy."""
ATTEMPTS = 3
"""Attempts to start: another program may take a port before the server does."""


class Server(ServerUnderTest):
    """A process with the models of the conformance cases' base server."""

    channel_options = (*UNLIMITED, ("grpc.max_metadata_size", 1 << 20))

    def __init__(self, template: str, path: Path, flags: tuple[str, ...] = ()) -> None:
        self.starts = 0
        spec = dataclasses.replace(case.BASE, flags=(*FLAGS, *flags), files={})
        super().__init__(spec, path, processes.start_process, template)

    def launch(self) -> None:
        """Starts the process and waits for its ports."""
        self.starts += 1
        for _ in range(ATTEMPTS):
            super().launch()
            if self.wait_until_open():
                return
            self.stop()
        raise SystemExit(f"the server did not start:\n{self.last_lines()}")

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def restart(self) -> None:
        self.stop()
        self.launch()

    def send(self, test_input: Input, *, expected_replies: int | None = None) -> Reply:
        """Sends one input and returns the reply.

        Args:
            test_input: The input.
            expected_replies: Number of replies to a conversation; None if it is unknown.
        """
        match test_input:
            case Call():
                return self.send_call(test_input)
            case Rest():
                return sending.rest(self.ports["rest"], test_input, TIMEOUT_SECONDS)
            case Conversation(port=port):
                return sending.converse(
                    self.ports[port], test_input, expected_replies, TIMEOUT_SECONDS
                )

    def send_call(self, call: Call) -> Reply:
        service = exchange.METHODS[call.method][0]
        try:
            method = self.channel.unary_unary(service + call.method)
            return GrpcReply("OK", "", method(call.data, timeout=TIMEOUT_SECONDS))
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                return NoReply(f"no reply to the call within {TIMEOUT_SECONDS:g} s")
            return GrpcReply(error.code().name, error.details() or "")
        except ValueError as error:
            return NoReply(f"the channel is closed for a restart: {error}")

    def last_lines(self, count: int = 8) -> str:
        """Returns the end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def log_from(self, offset: int) -> str:
        """Returns the log after a number of bytes."""
        return self.log.read_bytes()[offset:].decode("utf-8", "surrogateescape")
