"""A gRPC server whose HTTP/2 runs in Rust, outside the interpreter's lock: pygrpc-native.

This module alone knows the library. The library serves PredictionService and ModelService on the
port; all other calls (health, reflection, unknown methods) go through a UNIX socket to a server of
grpcio. docs/design-notes.md, "Two gRPC servers", has the reasons and the measurements.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from pygrpc_native import EVENT_CALL, NativeGrpcFront

from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.ports import address, cannot_listen
from seq2sum_serving.embedded.rpc.gate import Gate, ThreadQuota
from seq2sum_serving.embedded.rpc.grpc_server import SPARE_THREADS, GrpcServer
from seq2sum_serving.embedded.rpc.handlers import Method, run_call, start_call
from seq2sum_serving.embedded.rpc.statuses import truncated

log = logging.getLogger(__name__)

THREAD_NAME_PREFIX = "request"
MAX_BURST = 64
"""Most calls that a thread takes at once, if they can be started without waiting for their end."""
MAX_STREAMS = 2**31 - 1
"""Concurrent calls on a connection: no limit, as in gRPC's C++ server."""
WAIT_MILLIS = 200
"""Longest wait for a call: the end of the server wakes only one of the threads that wait."""
SLOW_SECONDS = 0.005
"""If no call ends within this time while every thread is busy, another thread is started."""


class NativeServer:
    """A server of PredictionService, ModelService, reflection, and health if configured.

    The threads that wait for calls also run them, so that a call does not change threads. As many
    threads as CPUs run at first: more would only compete for the interpreter. While they all run
    slow calls, further ones are started, up to `grpc_max_threads`.
    """

    def __init__(
        self,
        methods: Mapping[str, Method],
        config: ServerConfig,
        *,
        gate: Gate | None = None,
        first_handlers: Sequence[grpc.GenericRpcHandler] = (),
    ) -> None:
        """Makes a server that does not listen yet; the arguments are those of `GrpcServer`."""
        self._config = config
        self._gate = gate or Gate()
        self._grpcio = GrpcServer(methods, config, gate=self._gate, first_handlers=first_handlers)
        self._paths = list(methods)
        self._methods = list(methods.values())
        self._quota = ThreadQuota(config.grpc_max_threads)
        self._folder = tempfile.mkdtemp(prefix="seq2sum-grpc-")
        self._front: Any = None
        self._pool = ThreadPoolExecutor(config.grpc_max_threads + SPARE_THREADS, THREAD_NAME_PREFIX)
        """Runs calls that would delay the others of a burst, and holds calls of a closed gate."""
        self._burst = MAX_BURST if config.batching is not None else 1
        self._fewest = min(len(os.sched_getaffinity(0)), config.grpc_max_threads)
        self._lock = threading.Lock()
        """Guards the numbers below."""
        self._threads = 0
        self._busy = 0
        self._ended = 0
        """Calls that have ended."""
        self._all_busy = threading.Event()
        self._stopped = False

    def start(self, *inner_sockets: str) -> None:
        """Opens the port, and serves.

        Args:
            inner_sockets: Paths of sockets for this server's own processes.

        Raises:
            StartupError: The port cannot be opened.
        """
        config = self._config
        where = address(config.host, config.port)
        fallback = str(Path(self._folder, "fallback.sock"))
        try:
            self._front = NativeGrpcFront(
                where,
                [(path, False) for path in self._paths],
                call_details=True,
                max_concurrent_streams=MAX_STREAMS,
                reuse_port=config.processes > 1,
            )
        except OSError as error:
            raise cannot_listen(where, error, flag="port") from error
        self._grpcio.start(fallback, *inner_sockets, port=False)
        self._front.set_fallback(fallback)
        self._front.start()
        for _ in range(self._fewest):
            self._start_thread()
        threading.Thread(target=self._watch, name=THREAD_NAME_PREFIX, daemon=True).start()
        log.info("Running gRPC ModelServer at %s ...", where)

    def stop(self, grace: float) -> None:
        """Finishes the calls that have started, refuses new calls, and ends the connections.

        Args:
            grace: Seconds that running calls may take; those that take longer are cut off.
        """
        self._drain()
        self._grpcio.stop(grace)  # closes the gate, which both servers share
        self._front.close()
        self._stopped = True
        self._all_busy.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _drain(self) -> None:
        """Starts all calls that wait for a thread: they came before the server began to stop."""
        while events := self._front.recv_batch_details(MAX_BURST, 0):
            for kind, call, number, data, _, details in events:
                if kind == EVENT_CALL and self._gate.admit():
                    self._pool.submit(self._run, call, self._methods[number], data, details[2])

    def _start_thread(self) -> None:
        self._threads += 1
        name = f"{THREAD_NAME_PREFIX}-{self._threads}"
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        """Takes and runs calls until the server stops, or other threads wait for calls."""
        while (events := self._front.recv_batch_details(self._burst, WAIT_MILLIS)) is not None:
            if not events:
                continue
            with self._lock:
                self._busy += 1
                if self._busy == self._threads:
                    self._all_busy.set()
            for kind, call, number, data, _, details in events:
                if kind == EVENT_CALL:  # a cancelled call runs to its end, as with grpcio
                    self._handle(call, self._methods[number], data, details[2], len(events) == 1)
            with self._lock:
                self._busy -= 1
                if self._threads - self._busy > self._fewest:
                    self._threads -= 1
                    return

    def _watch(self) -> None:
        """Starts threads while all of them run slow calls."""
        while self._all_busy.wait() and not self._stopped:
            before = self._ended
            time.sleep(SLOW_SECONDS)
            with self._lock:
                if self._busy < self._threads:
                    self._all_busy.clear()
                elif self._ended == before and self._threads < self._config.grpc_max_threads:
                    self._start_thread()

    def _handle(
        self, call: int, method: Method, data: bytes, left: float | None, alone: bool
    ) -> None:
        if not self._gate.admit():
            self._pool.submit(self._refuse, call, left)
            return
        try:
            shares = self._config.batching is not None and method.start is not None
            with ExitStack() as taken:
                taken.enter_context(self._quota)
                end = partial(self._end_shared, call)
                if shares and start_call(method, data, left, end):
                    taken.pop_all()
                elif alone:
                    self._run(call, method, data, left)
                else:
                    self._pool.submit(self._run_counted, taken.pop_all(), call, method, data, left)
        except ServingError as error:
            self._end(call, error)
        except Exception as error:
            log.exception("a call failed")
            self._end(call, ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}"))

    def _run_counted(self, taken: ExitStack, *call: Any) -> None:
        with taken:
            self._run(*call)

    def _end_shared(self, call: int, outcome: bytes | ServingError) -> None:
        self._quota.__exit__()
        self._end(call, outcome)

    def _run(self, call: int, method: Method, data: bytes, left: float | None) -> None:
        try:
            outcome: bytes | ServingError = run_call(method, data, left)
        except ServingError as error:
            outcome = error
        except Exception as error:
            log.exception("a call failed")
            outcome = ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")
        self._end(call, outcome)

    def _refuse(self, call: int, left: float | None) -> None:
        """Refuses a call that came after the server began to stop."""
        self._send(call, self._gate.hold(left))

    def _end(self, call: int, outcome: bytes | ServingError) -> None:
        """Sends the outcome of a call that was admitted."""
        self._send(call, outcome)
        self._ended += 1
        self._gate.leave()

    def _send(self, call: int, outcome: bytes | ServingError) -> None:
        if isinstance(outcome, ServingError):
            message = truncated(outcome.message).decode(errors="replace")
            self._front.fail(call, outcome.code.value, message)
        else:
            self._front.respond(call, outcome)
