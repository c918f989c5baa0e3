"""Plans the steps from the current to the desired state, or refuses if no safe steps exist.

Pure. It keeps the rules that make a change safe on TensorFlow Serving:

- The policy is always `specific`, so that a folder that appears on disk changes nothing.
- A version is AVAILABLE on every replica before a label points at it: a server refuses the whole
  configuration otherwise.
- A serving version is removed from the config only when no label points at it, or in the write that
  moves its labels, and when its successor is AVAILABLE. If the successor fails to load, a server
  keeps serving the removed version, but never aspires to it again (the fallback trap). Such a
  version is AVAILABLE and not aspired.
- The number of a version that failed is never reused: a server does not load it again.

A change that was interrupted is planned again from the state that it left, without the steps that
have already taken effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from seq2sum_serving.deployment.errors import Refused
from seq2sum_serving.deployment.state import Current, Desired, ModelEntry, Policy


@dataclass(frozen=True, slots=True)
class WriteConfig:
    """Write versions and labels to the model config file, and reload it on every replica."""

    entry: ModelEntry

    def __str__(self) -> str:
        versions = ", ".join(map(str, sorted(self.entry.policy.versions))) or "none"
        labels = format_labels(self.entry.labels)
        return f"write versions {versions}; labels {labels or 'none'}"


@dataclass(frozen=True, slots=True)
class ReloadConfig:
    """Reload the model config file on every replica."""

    def __str__(self) -> str:
        return "reload the model config file on every replica"


@dataclass(frozen=True, slots=True)
class AwaitAvailable:
    """Wait until these versions are AVAILABLE on every replica."""

    versions: tuple[int, ...]

    def __str__(self) -> str:
        return f"wait until {_versions_are(self.versions)} AVAILABLE on every replica"


@dataclass(frozen=True, slots=True)
class AwaitLabels:
    """Wait until these labels resolve to these versions on every replica."""

    labels: Mapping[str, int]

    def __str__(self) -> str:
        return f"wait until every replica has the labels {format_labels(self.labels)}"


@dataclass(frozen=True, slots=True)
class Settle:
    """Wait for clients that have just resolved an old label to reach its version."""

    def __str__(self) -> str:
        return "wait for calls that use the old labels"


@dataclass(frozen=True, slots=True)
class AwaitUnloaded:
    """Wait until no replica serves these versions."""

    versions: tuple[int, ...]

    def __str__(self) -> str:
        return f"wait until {_versions_are(self.versions)} unloaded from every replica"


@dataclass(frozen=True, slots=True)
class AwaitWithdrawn:
    """Wait until no replica answers new calls with these versions; calls in flight go on."""

    versions: tuple[int, ...]

    def __str__(self) -> str:
        return f"wait until no replica answers with {_named(self.versions)}"


Step = (
    WriteConfig
    | ReloadConfig
    | AwaitAvailable
    | AwaitLabels
    | Settle
    | AwaitUnloaded
    | AwaitWithdrawn
)


def plan(
    current: Current, desired: Desired, *, allow_down_replicas: bool = False
) -> tuple[Step, ...]:
    """Returns the steps in order; none if the desired state is reached.

    Args:
        current: The observed state.
        desired: The desired state.
        allow_down_replicas: Proceed even if a replica is down: it reads the model config file when
            it restarts.

    Raises:
        Refused: No safe steps exist; the message says why, and what to do.
    """
    check(current, desired, allow_down_replicas=allow_down_replicas)
    if desired.at_once and all(map(current.available_everywhere, desired.versions)):
        return _plan_at_once(current, desired)
    up, available = current.up, _available(current)
    versions, labels = frozenset(desired.versions), dict(desired.labels)
    union = _specific(versions | _kept(current))
    steps: list[Step] = []
    written = current.recorded
    available_everywhere = frozenset.intersection(*(replica.available for replica in up))
    loading = tuple(sorted(versions - available_everywhere))
    if union != written.policy:
        written = ModelEntry(union, written.labels)
        steps.append(WriteConfig(written))
    elif loading:
        steps.append(ReloadConfig())
    if loading:
        steps.append(AwaitAvailable(loading))
    if labels != dict(written.labels):
        steps += [WriteConfig(ModelEntry(union, labels)), AwaitLabels(labels)]
    elif _is_mislabelled(current, labels):
        steps += [] if steps else [ReloadConfig()]
        steps.append(AwaitLabels(labels))
    leaving = tuple(sorted(union.versions - versions))
    if leaving:
        steps += [Settle()] if available.intersection(leaving) else []
        steps.append(WriteConfig(ModelEntry(_specific(versions), labels)))
    if unloading := tuple(sorted({*leaving, *(available - versions)})):
        steps += [] if steps else [ReloadConfig()]
        steps.append(AwaitUnloaded(unloading))
    return tuple(steps)


def _plan_at_once(current: Current, desired: Desired) -> tuple[Step, ...]:
    """Returns the steps with a single write; every desired version is AVAILABLE everywhere."""
    labels, entry = dict(desired.labels), ModelEntry(_specific(desired.versions), desired.labels)
    steps: list[Step] = []
    if labels != dict(current.recorded.labels) or _is_mislabelled(current, labels):
        steps.append(AwaitLabels(labels))
    if leaving := tuple(sorted(_available(current) - desired.versions)):
        steps.append(AwaitWithdrawn(leaving))
    if entry != current.recorded:
        return (WriteConfig(entry), *steps)
    return (ReloadConfig(), *steps) if steps else ()


def check(current: Current, desired: Desired, *, allow_down_replicas: bool = False) -> None:
    """Checks that safe steps exist.

    Raises:
        Refused: None exist; the message says why, and what to do.
    """
    down = current.down
    if not current.replicas:
        raise Refused("no replicas: name the servers with --targets")
    if down and (not allow_down_replicas or len(down) == len(current.replicas)):
        errors = "; ".join(f"{replica.target}: {replica.error}" for replica in down)
        raise Refused(
            f"a replica does not answer ({errors}). A change must take effect on every replica: "
            "start it, or leave it out of --targets if it was removed"
        )
    for label, version in desired.labels.items():
        if version not in desired.versions:
            raise Refused(
                f"label {label!r} would point at version {version}, which would not be loaded"
            )
    for version in sorted(desired.versions):
        _check_version(current, version)


def _check_version(current: Current, version: int) -> None:
    for replica in current.replicas:
        if failure := replica.failure(version):
            retire = f", and `retire {version}`" if version in current.aspired else ""
            raise Refused(
                f"version {version} could not be loaded by {replica.target}: {failure}. A server "
                f"does not load the same number again: publish the fixed model as version "
                f"{next_version(current)}{retire}"
            )
        if replica.up and version in replica.available and version not in current.aspired:
            _refuse_fallback(current, version, replica.target, replica.available)
    if version in current.aspired and current.recorded.policy.kind == "specific":
        return  # loading or loaded
    if version in current.burned:
        raise Refused(
            f"version {version} {current.burned[version]}. Version numbers are never reused: "
            f"publish the fixed model as version {next_version(current)}"
        )
    if version not in current.on_disk and not current.available_everywhere(version):
        on_disk = ", ".join(map(str, current.on_disk)) or "none"
        raise Refused(
            f"version {version} is not on disk (on disk: {on_disk}): add it with `publish DIR`, "
            "or export it"
        )


def _refuse_fallback(current: Current, version: int, target: str, available: Iterable[int]) -> None:
    """Refuses a version that serves on a replica only because its successor failed."""
    if current.aspired & set(available):
        raise Refused(f"version {version} is being unloaded by {target}: try again in a moment")
    raise Refused(
        f"version {version} still serves on {target} only because its successor "
        f"({_versions_are(sorted(current.aspired))} aspired) is not AVAILABLE, and a server never "
        "aspires again to a version that it was asked to unload. Either publish a version that "
        "loads and `promote` it: it takes over when it is AVAILABLE. Or list version "
        f"{version} alone in models.config, restart the replicas one at a time, and try again"
    )


def _kept(current: Current) -> frozenset[int]:
    """Returns the versions that must stay listed while labels may still point at them.

    These are the listed ones; with a policy other than `specific`, the aspired ones that serve.
    """
    if current.recorded.policy.kind == "specific":
        return current.recorded.policy.versions
    return current.aspired & _available(current)


def _is_mislabelled(current: Current, labels: Mapping[str, int]) -> bool:
    """Returns whether a label resolves to another version on a replica that is up."""
    return any(
        replica.labels.get(label) != version
        for replica in current.up
        for label, version in labels.items()
    )


def _available(current: Current) -> frozenset[int]:
    """Returns the versions that are AVAILABLE on any replica."""
    return frozenset().union(*(replica.available for replica in current.replicas))


def next_version(current: Current) -> int:
    """Returns the number after all that are on disk, configured, on a replica, or burned."""
    return max([0, *current.known_versions, *current.burned]) + 1


def format_labels(labels: Mapping[str, int]) -> str:
    """Formats labels as `canary = 2, stable = 1`."""
    return ", ".join(f"{label} = {version}" for label, version in sorted(labels.items()))


def _specific(versions: Iterable[int]) -> Policy:
    return Policy("specific", frozenset(versions))


def _versions_are(versions: Sequence[int]) -> str:
    return f"{_named(versions)} {'are' if len(versions) > 1 else 'is'}"


def _named(versions: Sequence[int]) -> str:
    listed = ", ".join(map(str, versions))
    return f"version{'s' if len(versions) > 1 else ''} {listed}" if listed else "no version"
