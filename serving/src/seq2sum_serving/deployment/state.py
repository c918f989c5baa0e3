"""The state of a model at one moment: on disk, in the model config file, on each replica.

Plain values, in TensorFlow Serving's terms. `replicas` and `model_config_file` read them from the
deployment, `rollout.planner` decides on them, and `console` shows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seq2sum import State, VersionStatus

STABLE = "stable"
"""Label of the version in service."""
CANARY = "canary"
"""Label of the version that is being judged. Without a canary it points at the stable version, so
that callers that use it still get answers."""
PREVIOUS = "previous"
"""Label of the version that was in service before, kept loaded so that a rollback is immediate."""
LABELS = (STABLE, CANARY, PREVIOUS)
"""Labels that rollouts manage; they leave other labels of the model alone."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A version policy: the versions that a server aspires to."""

    kind: str = "latest"
    """`specific`, `latest` or `all`; without a policy, TensorFlow Serving uses latest 1."""
    versions: frozenset[int] = frozenset()
    """Versions of `specific`."""
    count: int = 1
    """Number of versions of `latest`."""

    def aspired(self, on_disk: Sequence[int]) -> frozenset[int]:
        """Returns the versions that a server aspires to, given those on disk.

        `specific` lists them, whether they exist or not.
        """
        if self.kind == "specific":
            return self.versions
        newest_first = sorted(on_disk, reverse=True)
        return frozenset(newest_first if self.kind == "all" else newest_first[: self.count])


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """The model's entry in the model config file."""

    policy: Policy = Policy()
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replica:
    """The model as one server reports it."""

    target: str
    """gRPC address of the server."""
    versions: Mapping[int, VersionStatus] = field(default_factory=dict)
    """Every version that the server has known since it started."""
    labels: Mapping[str, int | None] = field(default_factory=dict)
    """The version that answers calls with each label; None if none does."""
    error: str = ""
    """Error of the call to the server; empty if it replied."""

    @property
    def up(self) -> bool:
        """Whether the server replied."""
        return not self.error

    @property
    def available(self) -> frozenset[int]:
        """The versions that are AVAILABLE."""
        return frozenset(
            number for number, entry in self.versions.items() if entry.state is State.AVAILABLE
        )

    @property
    def unlabelled(self) -> int | None:
        """The version that answers calls without a version or a label: the highest AVAILABLE."""
        return max(self.available, default=None)

    def failure(self, version: int) -> str:
        """Returns the error of a failed load; empty if the version loaded, or was never tried."""
        entry = self.versions.get(version)
        return entry.error if entry is not None and entry.state is State.END else ""


@dataclass(frozen=True, slots=True)
class Current:
    """The current state of the deployment."""

    on_disk: Sequence[int] = ()
    """Version numbers below the base path, in ascending order."""
    recorded: ModelEntry = ModelEntry()
    """The model's entry in the model config file."""
    replicas: Sequence[Replica] = ()
    burned: Mapping[int, str] = field(default_factory=dict)
    """Versions that failed or were rolled back, with what happened: never used again."""

    @property
    def aspired(self) -> frozenset[int]:
        """The versions that servers aspire to, by the model config file."""
        return self.recorded.policy.aspired(self.on_disk)

    @property
    def stable(self) -> int | None:
        """The version with the label `stable` in the model config file."""
        return self.recorded.labels.get(STABLE)

    @property
    def canary(self) -> int | None:
        """The version that is being judged; None without a canary."""
        version = self.recorded.labels.get(CANARY)
        return None if version == self.stable else version

    @property
    def previous(self) -> int | None:
        """The version to roll back to; None without one."""
        version = self.recorded.labels.get(PREVIOUS)
        return None if version == self.stable else version

    @property
    def up(self) -> tuple[Replica, ...]:
        """The replicas that replied."""
        return tuple(replica for replica in self.replicas if replica.up)

    @property
    def down(self) -> tuple[Replica, ...]:
        """The replicas that did not reply."""
        return tuple(replica for replica in self.replicas if not replica.up)

    @property
    def known_versions(self) -> list[int]:
        """All versions on disk, in the model config file, or on a replica, newest first."""
        known = {*self.on_disk, *self.aspired, *self.recorded.labels.values()}
        return sorted(known.union(*(one.versions for one in self.replicas)), reverse=True)

    def in_use(self, version: int) -> bool:
        """Whether a version is aspired, has a label, or is not unloaded on a replica."""
        states = (one.versions[version].state for one in self.replicas if version in one.versions)
        return (
            version in self.aspired
            or version in self.recorded.labels.values()
            or any(state is not State.END for state in states)
        )

    def labels_of(self, version: int) -> list[str]:
        """Returns a version's labels in the model config file, with those in `LABELS` first.

        `canary` and `previous` are not listed where they point at the stable version, which means
        that no version has that role.
        """
        canary_or_previous = {CANARY: self.canary, PREVIOUS: self.previous}
        found = [
            label
            for label, pointed_at in self.recorded.labels.items()
            if pointed_at == version and canary_or_previous.get(label, version) is not None
        ]
        order = {label: index for index, label in enumerate(LABELS)}
        return sorted(found, key=lambda label: (order.get(label, len(order)), label))

    def available_everywhere(self, version: int) -> bool:
        """Returns whether a version is AVAILABLE on every replica that is up, and one is up."""
        return bool(self.up) and all(version in replica.available for replica in self.up)


@dataclass(frozen=True, slots=True)
class Desired:
    """The state that a command wants to reach."""

    versions: frozenset[int]
    """Versions of the model to be loaded on every replica, and no others."""
    labels: Mapping[str, int]
    """All labels of the model; each points at one of `versions`."""
    at_once: bool = False
    """Take other versions out in the same write that moves the labels. A server moves labels
    before it unloads versions (`ServerCore::ReloadConfig` in tensorflow/serving's
    model_servers/server_core.cc)."""
