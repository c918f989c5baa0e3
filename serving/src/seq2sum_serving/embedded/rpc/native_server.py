"""A gRPC server whose HTTP/2 runs in Rust, outside the interpreter's lock: pygrpc-native.

This module alone knows the library. The library serves PredictionService and ModelService on the
port; all other calls (health, reflection, unknown methods) go through a UNIX socket to a server of
grpcio. docs/design-notes.md, "Two gRPC servers", has the reasons.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pygrpc_native import EVENT_CALL, EVENT_CANCEL, NativeGrpcFront

from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.errors import Code, ServingError, internal_error
from seq2sum_serving.embedded.ports import cannot_listen
from seq2sum_serving.embedded.prediction_service import Finish
from seq2sum_serving.embedded.rpc import connections
from seq2sum_serving.embedded.rpc.call_threads import CallThreads
from seq2sum_serving.embedded.rpc.gate import EXHAUSTED, ThreadQuota
from seq2sum_serving.embedded.rpc.grpc_server import SPARE_THREADS, THREAD_NAME_PREFIX, GrpcServer
from seq2sum_serving.embedded.rpc.handlers import Method, run_call, start_call
from seq2sum_serving.embedded.rpc.statuses import truncated

log = logging.getLogger(__name__)
LIBRARY_LOG = logging.getLogger("pygrpc_native.server")

FOLDER_PREFIX = "seq2sum-grpc-"
MAX_PARENT_CHARACTERS = 60
"""The path of a UNIX socket may have 107."""
MAX_BURST = 64
"""Most calls that a thread receives at once."""
MAX_STREAMS = 2**31 - 1
"""Concurrent calls on a connection: no limit, as in gRPC's C++ server."""
WAIT_MILLIS = 200
"""Longest wait for calls: the end of the server does not wake the thread that waits."""
POLL_SECONDS = 0.0002
"""Time for which a thread that has just run calls polls for more before it waits, because waking a
thread takes as long as running many calls."""


@dataclass(slots=True, eq=False)
class Call:
    """A call that was admitted."""

    number: int
    """The number that the library gave the call."""
    method: Method
    data: bytes
    deadline: float | None
    """On the clock `time.monotonic`."""
    peer: str

    def left(self) -> float | None:
        """Returns the seconds until the deadline; None without one."""
        return None if self.deadline is None else self.deadline - time.monotonic()


class NativeServer(GrpcServer):
    """A pygrpc-native server, with a grpcio server for the calls that it does not handle itself.

    `CallThreads` receive calls from the library, many at once with batching, and run them.
    """

    def __init__(self, methods: Mapping[str, Method], config: ServerConfig) -> None:
        """Makes a server that does not listen yet; the arguments are those of `GrpcServer`."""
        super().__init__(methods, config)
        self._paths = tuple(methods)
        self._methods = tuple(methods.values())
        self._quota = ThreadQuota(config.grpc_max_threads)
        self._folder = ""
        self._front: Any = None
        self._refusing = ThreadPoolExecutor(SPARE_THREADS, THREAD_NAME_PREFIX)
        """Holds the calls of a closed gate."""
        self._most = MAX_BURST if config.batching is not None else 1
        """Most calls to receive at once."""
        self._waiting: deque[Call] = deque()
        """Calls that were received and do not run yet."""
        self._open: dict[int, Call] = {}
        """Calls that have neither ended nor been cancelled."""
        self._polling = threading.Lock()
        # The quota is one less than the threads, so that one thread is always free to receive.
        self._threads = CallThreads(
            self._receive,
            self._run_waiting,
            self._waiting,
            most=config.grpc_max_threads,
            name=THREAD_NAME_PREFIX,
        )

    def start(self) -> None:
        """Opens the port, and serves; raises StartupError."""
        self._folder = _make_folder()
        try:
            super().start()
        except BaseException:
            shutil.rmtree(self._folder)
            raise
        self._front.start()
        self._threads.start()

    def _open_port(self, where: str) -> None:
        every = self._config.host == "0.0.0.0" and socket.has_dualstack_ipv6()
        try:
            self._front = NativeGrpcFront(
                f"[::]:{self._config.port}" if every else where,  # as grpcio does
                [(path, False) for path in self._paths],
                call_details=True,
                max_concurrent_streams=MAX_STREAMS,
                keepalive_permit_without_calls=False,
            )
        except OSError as error:
            raise cannot_listen(where, error, flag="port") from error
        fallback = str(Path(self._folder, "fallback.sock"))
        self._server.add_insecure_port(f"unix:{quote(fallback)}")
        self._front.set_fallback(fallback)
        log.info("Running gRPC ModelServer at %s ...", where)

    def stop(self, grace: float) -> None:
        """Stops as `GrpcServer.stop` does, which also ends the connections of the port."""
        self._receive(MAX_BURST, 0)  # starts the calls that arrived before the stop
        self._threads.add(len(self._waiting))
        LIBRARY_LOG.setLevel(logging.ERROR)  # it warns that nothing can be accepted any more
        connections.stop_listening(self._config.port)
        super().stop(grace)
        self._threads.stop()
        self._front.close()
        self._refusing.shutdown(wait=False, cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _send_goaway(self, seconds: float) -> None:
        """Ends the connections without a running call: the library sends no GOAWAY."""
        super()._send_goaway(seconds)
        busy = {call.peer for call in list(self._open.values())}
        connections.end_writing(self._config.port, "", keep=busy)

    def _wait_until_sent(self, deadline: float) -> None:
        connections.wait_until_sent(self._config.port, deadline)

    def _run_waiting(self) -> int:
        """Runs the calls that were received; returns how many to receive next.

        That is one if the last call did not share a run: such calls need a thread each.
        """
        finish: Finish | None = None
        most = self._most
        while self._waiting:
            try:
                call = self._waiting.popleft()
            except IndexError:  # another thread took it
                break
            started = self._run(call)
            finish = started or finish
            most = self._most if started else 1
        if finish:
            finish()
        return most

    def _receive(self, most: int, milliseconds: int = WAIT_MILLIS, *, poll: bool = False) -> None:
        """Takes calls and cancellations that have come; several threads may wait for them."""
        events = self._poll(most) if poll else None
        if not events:
            events = self._front.recv_batch_details(most, milliseconds)
        for kind, number, index, data, _, details in events or ():
            if kind == EVENT_CALL:
                left = details[2]
                deadline = None if left is None else time.monotonic() + left
                self._admit(Call(number, self._methods[index], data, deadline, details[1]))
            elif kind == EVENT_CANCEL and self._open.pop(number, None):
                self._gate.leave()

    def _poll(self, most: int) -> Any:
        """Polls for calls for a short time, unless another thread does so already."""
        if not self._polling.acquire(blocking=False):
            return None
        try:
            end = time.monotonic() + POLL_SECONDS
            events = self._front.recv_batch_details(most, 0)
            while not events and time.monotonic() < end:
                events = self._front.recv_batch_details(most, 0)
            return events
        finally:
            self._polling.release()

    def _admit(self, call: Call) -> None:
        if not self._gate.admit():
            with suppress(RuntimeError):  # the server has stopped
                self._refusing.submit(self._refuse, call)
        elif self._quota.enter():
            self._open[call.number] = call
            self._waiting.append(call)
        else:
            self._send(call, ServingError(Code.RESOURCE_EXHAUSTED, EXHAUSTED))
            self._gate.leave()

    def _run(self, call: Call) -> Finish | None:
        """Runs a call; or starts it if it shares a run with others, and returns what runs them."""
        left = call.left()
        outcome: bytes | ServingError
        try:
            if call.number not in self._open:
                outcome = ServingError(Code.CANCELLED, "the client cancelled the call")
            elif left is not None and left <= 0:
                outcome = ServingError(Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
            else:
                if self._config.batching is not None:
                    finish = start_call(call.method, call.data, left, partial(self._end, call))
                    if finish:
                        return finish
                outcome = run_call(call.method, call.data, left)
        except ServingError as error:
            outcome = error
        except Exception as error:  # noqa: BLE001  # logged
            outcome = internal_error(error)
        self._end(call, outcome)
        return None

    def _end(self, call: Call, outcome: bytes | ServingError) -> None:
        """Sends the outcome of a call, unless the client has cancelled it."""
        self._quota.leave()  # before the client can send its next call
        if self._open.pop(call.number, None):
            try:
                self._send(call, outcome)
            except Exception:
                log.exception("a response could not be sent")
            self._gate.leave()

    def _refuse(self, call: Call) -> None:
        """Refuses a call that came after the server began to stop."""
        self._send(call, self._gate.hold(call.left()))

    def _send(self, call: Call, outcome: bytes | ServingError) -> None:
        if isinstance(outcome, ServingError):
            message = truncated(outcome.message).decode(errors="replace")
            self._front.fail(call.number, outcome.code.value, message)
        else:
            self._front.respond(call.number, outcome)


def _make_folder() -> str:
    """Makes a folder for the socket; removes those of servers that were killed."""
    parent = tempfile.gettempdir()
    if len(parent) > MAX_PARENT_CHARACTERS:
        parent = "/tmp"  # mkdtemp makes an unpredictable name, for this user alone
    for old in Path(parent).glob(f"{FOLDER_PREFIX}*"):
        number = old.name.split("-")[-2]
        if number.isdecimal() and not _is_running(int(number)):
            shutil.rmtree(old, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-", dir=parent)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user
        pass
    return True
