"""One run: workers send cases and judge the answers, while good callers ask beside them."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from fuzz import generation, invariants, judging, steady
from fuzz.books import Books, Finding
from fuzz.inputs import Case
from fuzz.invariants import Fault
from fuzz.replies import GrpcReply, NoReply, Replies, Reply
from fuzz.server import Server

MOST_REDUCED = 40
"""Kinds of findings whose inputs are made smaller; what follows is shown as it was sent."""
TRACEBACK = "Traceback (most recent call last)"
EXCEPTION = re.compile(r"^(?:\w+\.)*\w+(?:Error|Exception)\b", re.MULTILINE)
MOST_TRACE = 3000
SECONDS_TO_DIE = 1.0
"""Between a broken connection and the end of the process that broke it."""


class Campaign:
    """Sends cases to one server, or to two that are compared."""

    def __init__(self, servers: Sequence[Server], books: Books, *, workers: int) -> None:
        self.servers, self.books, self._workers = tuple(servers), books, workers
        self.callers = [steady.SteadyCaller(server, self._beside) for server in self.servers]
        self._lock = threading.Lock()
        self._under_way: dict[int, Case] = {}
        self._log_read = dict.fromkeys(self.servers, 0)
        self._up = threading.Event()
        self._up.set()
        self._repairing = threading.Lock()

    def run(self, cases: Iterator[Case]) -> None:
        """Sends all cases; a last good call to each server must be answered."""
        with ExitStack() as beside:
            for caller in self.callers:
                beside.enter_context(caller)
            with ThreadPoolExecutor(self._workers) as pool:
                workers = [pool.submit(self._work, cases) for _ in range(self._workers)]
            for worker in workers:
                worker.result()  # raises what the fuzzer itself did wrong
        for server in self.servers:
            if problem := steady.check_grpc(server, 1) or steady.check_rest(server, 2):
                self.books.add(Finding(None, Fault("no good answer afterwards", problem)))

    def _work(self, cases: Iterator[Case]) -> None:
        mine = threading.get_ident()
        while True:
            self._up.wait()
            with self._lock:
                case = next(cases, None)
            if case is None:
                return
            self._under_way[mine] = case
            self.examine(case)
            del self._under_way[mine]

    def examine(self, case: Case) -> None:
        """Sends one case, and books what comes of it."""
        starts = self._starts()
        replies = judging.ask(self.servers, case.input)
        if any(map(is_broken, replies)):
            self._await_an_end()
        if self._has_restarted(starts):
            return  # its answer is that of a server that was ending, or had ended
        faults, explained = judging.judge(self.servers, case.input, replies)
        if self._has_restarted(starts):
            return
        self.books.count(case, replies, explained)
        self._look_at_logs()
        for fault in faults[:1]:  # what else is wrong mostly comes of it
            finding = Finding(case, fault, case.input, replies)
            if self.books.is_new(finding):
                few = len(self.books.findings) <= MOST_REDUCED
                reduced = judging.reduced(self.servers, case, fault) if few else finding
                self.books.keep(finding.key, reduced)

    def _starts(self) -> tuple[int, ...]:
        return tuple(server.starts for server in self.servers)

    def _await_an_end(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_DIE
        while all(server.is_alive() for server in self.servers) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _has_restarted(self, starts: tuple[int, ...]) -> bool:
        """Whether a server has ended meanwhile; it is up again when this returns."""
        with self._repairing:
            for server in self.servers:
                if not server.is_alive():
                    self._repair(server)
        return starts != self._starts()

    def _repair(self, server: Server) -> None:
        """Starts a server again, and looks for the case that ends it when it is sent alone."""
        suspects = list(self._under_way.values())
        code, lines = server.process.wait(0), server.last_lines()
        self._up.clear()
        for caller in self.callers:
            caller.pause()
        server.restart()
        culprit = next((case for case in suspects if self._ends(server, case)), None)
        for caller in self.callers:
            caller.resume()
        self._up.set()
        numbers = ", ".join(str(case.number) for case in suspects)
        text = f"exit code {code}; cases under way: {numbers}\n{lines}"
        self.books.add(Finding(culprit, Fault("the server ended", text), culprit and culprit.input))

    def _ends(self, server: Server, case: Case) -> bool:
        server.ask(case.input, due=invariants.due(case.input))
        self._await_an_end()
        if server.is_alive():
            return False
        server.restart()
        return True

    def _beside(self, problem: str) -> None:
        """A good call was not answered as it should be."""
        starts = self._starts()
        self._await_an_end()
        if all(server.is_alive() for server in self.servers) and starts == self._starts():
            numbers = ", ".join(str(case.number) for case in list(self._under_way.values()))
            text = f"{problem}; cases under way: {numbers}"
            self.books.add(Finding(None, Fault("another caller was affected", text)))

    def _look_at_logs(self) -> None:
        """A traceback in a log is a fault, whatever was answered."""
        for server in self.servers:
            with self._lock:
                size, before = server.log.stat().st_size, self._log_read[server]
                text = server.log_from(before) if size > before else ""
                raised = EXCEPTION.findall(text)
                if TRACEBACK in text and not raised:
                    continue  # its end is not written yet
                self._log_read[server] = before + len(text.encode("utf-8", "surrogateescape"))
                numbers = ", ".join(str(case.number) for case in self._under_way.values())
            if TRACEBACK in text:
                kind = f"a traceback in the log: {', '.join(sorted(set(raised)))}"
                trace = text[text.index(TRACEBACK) :][:MOST_TRACE]
                what = f"\n{trace}\ncases under way: {numbers}"
                self.books.add(Finding(None, Fault(kind, what)))


def is_broken(reply: Reply) -> bool:
    """Whether the reply may be due to the end of the process."""
    match reply:
        case NoReply():
            return True
        case GrpcReply():
            return reply.code == "UNAVAILABLE"
        case Replies():
            return reply.end in ("reset", "refused")
    return False


def numbered(seed: int, seconds: float, kinds: frozenset[str]) -> Iterator[Case]:
    """Cases from 0 on, until the time is over."""
    deadline = time.monotonic() + seconds
    for number in itertools.count():
        if time.monotonic() > deadline:
            return
        if case := generation.case(seed, number, kinds):
            yield case
