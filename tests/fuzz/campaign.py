"""A fuzzing run: workers send cases and check replies next to well-behaved background callers."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from fuzz import background_caller, checking, generation, invariants
from fuzz.background_caller import BackgroundCaller
from fuzz.findings import Finding, Results
from fuzz.inputs import Case
from fuzz.invariants import Fault
from fuzz.replies import GrpcReply, NoReply, Replies, Reply
from fuzz.server import Server

MAX_MINIMIZED = 40
"""Kinds of findings whose inputs are minimized; later ones are reported with the input as sent."""
TRACEBACK = "Traceback (most recent call last)"
EXCEPTION = re.compile(r"^(?:\w+\.)*\w+(?:Error|Exception)\b", re.MULTILINE)
MAX_TRACEBACK = 3000
EXIT_SECONDS = 1.0
"""Limit for a process to exit after its connections broke."""


class Campaign:
    """Sends cases to one server, or to two that are compared."""

    def __init__(self, servers: Sequence[Server], results: Results, *, workers: int) -> None:
        self.servers, self.results, self._workers = tuple(servers), results, workers
        self.callers = [BackgroundCaller(server, self._caller_failed) for server in self.servers]
        self._lock = threading.Lock()
        self._in_flight: dict[int, Case] = {}
        self._log_offset = dict.fromkeys(self.servers, 0)
        self._up = threading.Event()
        self._up.set()
        self._repairing = threading.Lock()

    @property
    def background_calls(self) -> int:
        return sum(caller.calls for caller in self.callers)

    def run(self, cases: Iterator[Case]) -> None:
        """Sends all cases; afterwards each server must answer a well-formed call."""
        with ExitStack() as background:
            for caller in self.callers:
                background.enter_context(caller)
            with ThreadPoolExecutor(self._workers) as pool:
                workers = [pool.submit(self._work, cases) for _ in range(self._workers)]
            for worker in workers:
                worker.result()  # raises exceptions of the fuzzer itself
        for server in self.servers:
            problem = background_caller.check_grpc(server, 1) or background_caller.check_rest(
                server, 2
            )
            if problem:
                self.results.add(Finding(None, Fault("no good answer afterwards", problem)))

    def _work(self, cases: Iterator[Case]) -> None:
        thread = threading.get_ident()
        while True:
            self._up.wait()
            with self._lock:
                case = next(cases, None)
            if case is None:
                return
            self._in_flight[thread] = case
            self._run_case(case)
            del self._in_flight[thread]

    def _run_case(self, case: Case) -> None:
        starts = self._starts()
        replies = checking.send(self.servers, case.input)
        if any(map(may_be_crash, replies)):
            self._await_exit()
        if self._has_restarted(starts):
            return  # the reply may come from a server that was exiting
        faults, explained = checking.check(self.servers, case.input, replies)
        if self._has_restarted(starts):
            return
        self.results.count(case, replies, explained)
        self._check_logs()
        for fault in faults[:1]:  # further faults mostly follow from the first
            self.results.add(Finding(case, fault, case.input, replies), self._minimize)

    def _minimize(self, finding: Finding) -> Finding:
        few = len(self.results.findings) <= MAX_MINIMIZED
        return checking.minimize(self.servers, finding) if few else finding

    def _starts(self) -> tuple[int, ...]:
        return tuple(server.starts for server in self.servers)

    def _all_alive(self) -> bool:
        return all(server.is_alive() for server in self.servers)

    def _await_exit(self) -> None:
        deadline = time.monotonic() + EXIT_SECONDS
        while self._all_alive() and time.monotonic() < deadline:
            time.sleep(0.02)

    def _has_restarted(self, starts: tuple[int, ...]) -> bool:
        """Restarts servers that have exited; returns whether any was restarted since `starts`."""
        with self._repairing:
            for server in self.servers:
                if not server.is_alive():
                    self._repair(server)
        return starts != self._starts()

    def _repair(self, server: Server) -> None:
        """Restarts a server, and searches for the case that alone makes it exit."""
        suspects = list(self._in_flight.values())
        code, lines = server.process.wait(0), server.last_lines()
        self._up.clear()
        for caller in self.callers:
            caller.pause()
        server.restart()
        culprit = next((case for case in suspects if self._makes_exit(server, case)), None)
        for caller in self.callers:
            caller.resume()
        self._up.set()
        text = f"exit code {code}; cases in flight: {numbers(suspects)}\n{lines}"
        fault = Fault("the server exited", text)
        self.results.add(Finding(culprit, fault, culprit and culprit.input))

    def _makes_exit(self, server: Server, case: Case) -> bool:
        server.send(case.input, expected_replies=invariants.expected_replies(case.input))
        self._await_exit()
        if server.is_alive():
            return False
        server.restart()
        return True

    def _caller_failed(self, problem: str) -> None:
        """Reports the failure of a background call, unless a server has exited."""
        starts = self._starts()
        self._await_exit()
        if self._all_alive() and starts == self._starts():
            text = f"{problem}; cases in flight: {numbers(self._in_flight.values())}"
            self.results.add(Finding(None, Fault("another caller was affected", text)))

    def _check_logs(self) -> None:
        """Reports new tracebacks in the logs."""
        for server in self.servers:
            with self._lock:
                size, offset = server.log.stat().st_size, self._log_offset[server]
                text = server.log_from(offset) if size > offset else ""
                exceptions = EXCEPTION.findall(text)
                if TRACEBACK in text and not exceptions:
                    continue  # its end is not written yet
                self._log_offset[server] = offset + len(text.encode("utf-8", "surrogateescape"))
                in_flight = numbers(self._in_flight.values())
            if TRACEBACK in text:
                kind = f"a traceback in the log: {', '.join(sorted(set(exceptions)))}"
                traceback = text[text.index(TRACEBACK) :][:MAX_TRACEBACK]
                fault = Fault(kind, f"\n{traceback}\ncases in flight: {in_flight}")
                self.results.add(Finding(None, fault))


def numbers(cases: Iterator[Case] | Sequence[Case]) -> str:
    return ", ".join(str(case.number) for case in list(cases))


def may_be_crash(reply: Reply) -> bool:
    """Returns whether the reply may result from the exit of the process."""
    match reply:
        case NoReply():
            return True
        case GrpcReply():
            return reply.code == "UNAVAILABLE"
        case Replies():
            return reply.end in ("reset", "refused")
    return False


def timed_cases(seed: int, seconds: float, kinds: frozenset[str]) -> Iterator[Case]:
    """Yields cases from number 0 on, until the time is up."""
    deadline = time.monotonic() + seconds
    for number in itertools.count():
        if time.monotonic() > deadline:
            return
        if case := generation.case(seed, number, kinds):
            yield case
