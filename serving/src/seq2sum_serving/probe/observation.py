"""What one round saw: plain values. Whoever asks fills them, whoever tells reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seq2sum_serving.deployment.state import Current, ModelEntry, Replica

ANSWERED = "OK"
"""gRPC's name for a call that brought a reply."""


@dataclass(frozen=True, slots=True)
class Call:
    """One golden question, and what came of it."""

    question: str
    expected: str
    """The true sum."""
    code: str
    """How the call ended, by gRPC's name."""
    seconds: float
    """How long it took."""
    said: str = ""
    """The answer; or what was wrong, if there is none."""
    refused: bool = False
    """Whether the version took the question for none that it can read."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a replica shows to whoever comes by TLS."""

    not_after: float | None
    """The end of its validity, in seconds since 1970; None if it could not be read."""
    error: str = ""
    """Why it could not."""


@dataclass(frozen=True, slots=True)
class Events:
    """What the history has, by kind of event."""

    counts: Mapping[str, int] = field(default_factory=dict)
    moments: Mapping[str, float] = field(default_factory=dict)
    """The last one of each kind, in seconds since 1970."""
    skipped: int = 0
    """Lines that are no events."""


@dataclass(frozen=True, slots=True)
class Sight:
    """All of a round. What could not be read is None, and `sources` says why."""

    replicas: Sequence[Replica] = ()
    calls: Mapping[tuple[str, str], Sequence[Call]] = field(default_factory=dict)
    """By replica and label."""
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    """By replica; empty without TLS."""
    labels: Sequence[str] = ()
    """Those that the prober was told to ask by."""
    recorded: ModelEntry | None = None
    on_disk: Sequence[int] | None = None
    weights: Mapping[str, float] | None = None
    events: Events | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """What was read, and why it could not be; an empty text if it could."""
    ended: float = 0.0
    """In seconds since 1970."""
    seconds: float = 0.0
    """How long it took."""

    @property
    def current(self) -> Current:
        """The same in the words of rollouts. A disk that is not seen has what is wanted."""
        recorded = self.recorded or ModelEntry()
        on_disk = sorted(recorded.policy.versions) if self.on_disk is None else self.on_disk
        return Current(on_disk, recorded, self.replicas)

    def wrong(self, target: str, label: str) -> list[Call]:
        """The golden questions that a replica answered by a label, and wrongly."""
        return [
            call
            for call in self.calls[target, label]
            if call.code == ANSWERED
            and call.said != call.expected
            and not (call.refused and self._astray(target, label))
        ]

    def _astray(self, target: str, label: str) -> bool:
        """Whether a label is not yet, or no longer, on the version that it should be on.

        A golden question of that version may be too long for the one that it is on.
        """
        if self.recorded is None:
            return True
        found = {replica.target: replica.labels.get(label) for replica in self.replicas}
        return found.get(target) != self.recorded.labels.get(label)
