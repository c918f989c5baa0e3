"""Results of a run: outcomes by kind of input, and findings."""

from __future__ import annotations

import collections
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fuzz.inputs import Case, Input
from fuzz.invariants import Fault
from fuzz.replies import Reply, is_accepted, outcome

VARYING = re.compile(
    r"b?'[^']*'|b?\"[^\"]*\"|\{[^}]*\}|\[[^]]*\]|0x[0-9a-f]+|\d+(\.\d+)?(e[+-]?\d+)?"
)
"""Parts of a fault's text that vary between inputs."""
KEY_LENGTH = 60

KEY_END = re.compile(r"[\n(:]")

Key = tuple[str, str, str]
"""Protocol, kind of fault and first words of its text: equal for findings that probably have
the same cause."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault, with the input that shows it."""

    case: Case | None
    """None for a fault that cannot be attributed to one case."""
    fault: Fault
    minimal: Input | None = None
    replies: tuple[Reply, ...] = ()
    """Replies to the minimal input."""

    @property
    def key(self) -> Key:
        protocol = type(self.case.input).__name__ if self.case else ""
        words = KEY_END.split(VARYING.sub("*", self.fault.text))[0]
        return protocol, self.fault.kind, words[:KEY_LENGTH].strip()


class Results:
    """Thread-safe counts of a run, and its findings."""

    def __init__(self, report: Callable[[Finding], None]) -> None:
        self.outcomes: collections.Counter[tuple[str, str]] = collections.Counter()
        """Inputs by kind and class of outcome."""
        self.accepted: collections.Counter[str] = collections.Counter()
        """Inputs by kind that the server accepted."""
        self.intended: collections.Counter[str] = collections.Counter()
        """Intended differences, by name."""
        self.findings: dict[Key, Finding] = {}
        """The first finding of each kind."""
        self.repeats: collections.Counter[Key] = collections.Counter()
        self._report, self._lock = report, threading.Lock()

    @property
    def sent(self) -> int:
        return self.outcomes.total()

    def count(self, case: Case, replies: Sequence[Reply], explained: str) -> None:
        """Counts an input by its outcome, and the difference that explains its replies."""
        with self._lock:
            self.outcomes[case.kind, outcome(replies[0])] += 1
            self.accepted[case.kind] += is_accepted(replies[0])
            if explained:
                self.intended[explained] += 1

    def add(
        self, finding: Finding, minimize: Callable[[Finding], Finding] = lambda finding: finding
    ) -> None:
        """Counts a finding; the first of its kind is minimized and reported."""
        key = finding.key
        with self._lock:
            self.repeats[key] += 1
            if key in self.findings:
                return
            self.findings[key] = finding
        finding = minimize(finding)
        with self._lock:
            self.findings[key] = finding
        self._report(finding)
