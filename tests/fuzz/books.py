"""What a run has sent and found."""

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
"""What differs between answers that are wrong in the same way."""
KEY_LENGTH = 60

ENDS = re.compile(r"[\n(:]")
"""Of the words of a fault that stay the same."""

Key = tuple[str, str, str]
"""The same for findings that are probably one fault: protocol, kind of fault, its first words."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, with the input that shows it."""

    case: Case | None
    """None for a fault that cannot be put down to one case."""
    fault: Fault
    minimal: Input | None = None
    replies: tuple[Reply, ...] = ()
    """To the minimal input."""

    @property
    def key(self) -> Key:
        protocol = type(self.case.input).__name__ if self.case else ""
        words = ENDS.split(VARYING.sub("*", self.fault.text))[0]
        return protocol, self.fault.kind, words[:KEY_LENGTH].strip()


class Books:
    """Counts by kind of input; may be used from many threads."""

    def __init__(self, report: Callable[[Finding], None]) -> None:
        self.outcomes: collections.Counter[tuple[str, str]] = collections.Counter()
        """By kind of input and class of outcome."""
        self.accepted: collections.Counter[str] = collections.Counter()
        """Inputs that the server did something with."""
        self.intended: collections.Counter[str] = collections.Counter()
        """Differences that are decisions, by name."""
        self.findings: dict[Key, Finding] = {}
        """The first of each kind."""
        self.repeats: collections.Counter[Key] = collections.Counter()
        self._report, self._lock = report, threading.Lock()

    @property
    def sent(self) -> int:
        return sum(self.outcomes.values())

    def count(self, case: Case, replies: Sequence[Reply], explained: str) -> None:
        """Counts one input that was answered."""
        with self._lock:
            self.outcomes[case.kind, outcome(replies[0])] += 1
            self.accepted[case.kind] += is_accepted(replies[0])
            if explained:
                self.intended[explained] += 1

    def is_new(self, finding: Finding) -> bool:
        """Counts a finding; True for the first of its kind."""
        with self._lock:
            self.repeats[finding.key] += 1
            if finding.key in self.findings:
                return False
            self.findings[finding.key] = finding
            return True

    def keep(self, key: Key, finding: Finding) -> None:
        """Reports the finding that stands for its kind."""
        with self._lock:
            self.findings[key] = finding
        self._report(finding)

    def add(self, finding: Finding) -> None:
        """Counts a finding, and reports the first of its kind."""
        if self.is_new(finding):
            self.keep(finding.key, finding)
