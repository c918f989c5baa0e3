"""The result of one probe round: plain values, the input of metrics, findings and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seq2sum_serving.deployment.event_log import Event
from seq2sum_serving.deployment.state import Current, ModelEntry, Replica

OK = "OK"
"""The gRPC status code of a successful call."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call to a label, and its result."""

    code: str
    """The name of the gRPC status code."""
    seconds: float
    """The duration of the call."""
    error: str = ""
    """Details of a failed call."""
    compared: bool = False
    """True if a golden request was answered by the version that it belongs to."""
    request: str = ""
    """The inputs of a golden request with a difference, truncated; and the version that the
    request belongs to, if another one answered."""
    difference: str = ""
    """Differences of the outputs from those that are expected; empty if they have none."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The TLS certificate that a replica presents."""

    not_after: float | None
    """The end of its validity, in seconds since 1970; None if it could not be read."""
    error: str = ""
    """The reason why it could not be read."""


@dataclass(frozen=True, slots=True)
class Events:
    """The events in the rollout history, by kind."""

    counts: Mapping[str, int] = field(default_factory=dict)
    last_timestamps: Mapping[str, float] = field(default_factory=dict)
    """The time of the last event of each kind, in seconds since 1970."""
    invalid_lines: int = 0
    """Number of lines that could not be parsed."""
    of_service: Sequence[Event] = ()
    """Those that decide which versions were in service, in order."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that a round found about a model. An input that could not be read is None."""

    replicas: Sequence[Replica] = ()
    calls: Mapping[tuple[str, str], Sequence[Call]] = field(default_factory=dict)
    """By target and label."""
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    """By target; empty without TLS."""
    labels: Sequence[str] = ()
    """The labels of `--labels`."""
    recorded: ModelEntry | None = None
    """The content of the model config file."""
    on_disk: Sequence[int] | None = None
    weights: Mapping[str, float] | None = None
    events: Events | None = None
    input_errors: Mapping[str, str] = field(default_factory=dict)
    """By name of the input: the reason why it could not be read; empty if it was read."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """By name of an optional input that does not exist: what is not observed without it."""
    finished: float = 0.0
    """The time of the end of the round, in seconds since 1970."""
    seconds: float = 0.0
    """The duration of the round."""

    @property
    def current(self) -> Current:
        """The state that drift is computed from.

        If the disk could not be read, it is assumed to hold the configured versions.
        """
        recorded = self.recorded or ModelEntry()
        on_disk = sorted(recorded.policy.versions) if self.on_disk is None else self.on_disk
        return Current(on_disk, recorded, self.replicas)

    def answers(self, target: str, label: str) -> list[Call]:
        """Returns the calls to a label of a replica whose outputs were compared."""
        return [call for call in self.calls[target, label] if call.compared]

    def wrong_answers(self, target: str, label: str) -> list[Call]:
        """Returns the calls to a label of a replica whose outputs were not as expected."""
        return [call for call in self.answers(target, label) if call.difference]


Observations = Mapping[str, Observation]
"""By model."""
