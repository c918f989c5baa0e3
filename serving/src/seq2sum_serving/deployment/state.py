"""What is known about a model at one moment: on disk, in the file of record, on each replica.

Plain values, in TensorFlow Serving's words. Whoever looks fills them (`fleet`), whoever decides
reads them (`plan`), whoever shows draws them (`views`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seq2sum import State, VersionStatus

STABLE = "stable"
"""The label of the version that serves."""
CANARY = "canary"
"""The label of the version that is on trial. It rests on the stable version when none is, so that
a caller who still asks for it is answered."""
PREVIOUS = "previous"
"""The label of the version that served before and is kept loaded, for a rollback without a load."""
LABELS = (STABLE, CANARY, PREVIOUS)
"""Those that rollouts own; others of the model are left alone."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Which versions a server is told to aspire to."""

    kind: str = "latest"
    """`specific`, `latest` or `all`; TensorFlow Serving takes no policy for latest 1."""
    versions: frozenset[int] = frozenset()
    """Of `specific`."""
    count: int = 1
    """Of `latest`."""

    def aspired(self, on_disk: Sequence[int]) -> frozenset[int]:
        """The versions that a server aspires to with these on disk.

        `specific` names them, whether they are there or not.
        """
        if self.kind == "specific":
            return self.versions
        newest_first = sorted(on_disk, reverse=True)
        return frozenset(newest_first if self.kind == "all" else newest_first[: self.count])


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """What the file of record says about the model."""

    policy: Policy = Policy()
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replica:
    """What one server says about the model."""

    target: str
    """Its gRPC address."""
    versions: Mapping[int, VersionStatus] = field(default_factory=dict)
    """Every version that it has heard of since it started."""
    labels: Mapping[str, int | None] = field(default_factory=dict)
    """The version that answers a call with each label; None if none does."""
    error: str = ""
    """Why it says nothing; empty if it does."""

    @property
    def up(self) -> bool:
        """Whether it answers at all."""
        return not self.error

    @property
    def available(self) -> frozenset[int]:
        """The versions that it answers with."""
        return frozenset(
            number for number, entry in self.versions.items() if entry.state is State.AVAILABLE
        )

    def failure(self, version: int) -> str:
        """Why it could not load a version; empty if it could, or never tried."""
        entry = self.versions.get(version)
        return entry.error if entry is not None and entry.state is State.END else ""


@dataclass(frozen=True, slots=True)
class Current:
    """All of it."""

    on_disk: Sequence[int] = ()
    """Version numbers below the base path, in order."""
    recorded: ModelEntry = ModelEntry()
    replicas: Sequence[Replica] = ()
    burned: Mapping[int, str] = field(default_factory=dict)
    """Versions that failed or were rolled back, and what became of each: never used again."""

    @property
    def aspired(self) -> frozenset[int]:
        """What the file of record tells every replica to aspire to."""
        return self.recorded.policy.aspired(self.on_disk)

    @property
    def stable(self) -> int | None:
        """The version that the file of record gives the label `stable`."""
        return self.recorded.labels.get(STABLE)

    @property
    def canary(self) -> int | None:
        """The version on trial; None if there is none."""
        version = self.recorded.labels.get(CANARY)
        return None if version == self.stable else version

    @property
    def previous(self) -> int | None:
        """The version to go back to; None if there is none."""
        version = self.recorded.labels.get(PREVIOUS)
        return None if version == self.stable else version

    @property
    def up(self) -> tuple[Replica, ...]:
        """The replicas that answer."""
        return tuple(replica for replica in self.replicas if replica.up)

    @property
    def down(self) -> tuple[Replica, ...]:
        """The replicas that do not answer."""
        return tuple(replica for replica in self.replicas if not replica.up)

    def available_everywhere(self, version: int) -> bool:
        """Whether every replica that is up answers with it."""
        return bool(self.up) and all(version in replica.available for replica in self.up)


@dataclass(frozen=True, slots=True)
class Desired:
    """Where things should be."""

    versions: frozenset[int]
    """To be loaded on every replica, and no others of the model."""
    labels: Mapping[str, int]
    """All of the model's labels; each version is one of `versions`."""
