"""What leads from where things are to where they should be: steps, or why there is no safe way.

Pure: a `Current` and a `Desired` in, steps out. It keeps the rules that make a change safe on
TensorFlow Serving:

- The policy is always `specific`, so that a folder that appears on disk moves nothing.
- A version is AVAILABLE on every replica before a label points at it: a server refuses the whole
  configuration otherwise.
- A version that serves leaves the list only when no label points at it, and its successor is
  AVAILABLE. One that was un-aspired while its successor failed serves on, but is never aspired
  again (the fallback trap): it is told from outside by being AVAILABLE and not aspired.
- The number of a version that failed is never used again: a server does not load it again.

A half-finished change is just another place to begin from: steps that hold already are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from seq2sum_serving.deployment.errors import Refused
from seq2sum_serving.deployment.state import Current, Desired, ModelEntry, Policy


@dataclass(frozen=True, slots=True)
class Write:
    """Put versions and labels into the file of record, and tell every replica."""

    recorded: ModelEntry

    def __str__(self) -> str:
        versions = ", ".join(map(str, sorted(self.recorded.policy.versions))) or "none"
        labels = _told(self.recorded.labels)
        return f"models.config: versions {versions}; labels {labels or 'none'}"


@dataclass(frozen=True, slots=True)
class Push:
    """Tell every replica again what the file of record says."""

    def __str__(self) -> str:
        return "tell every replica what models.config says"


@dataclass(frozen=True, slots=True)
class AwaitAvailable:
    """Wait until these versions are AVAILABLE on every replica."""

    versions: tuple[int, ...]

    def __str__(self) -> str:
        return f"wait until {_named(self.versions)} AVAILABLE on every replica"


@dataclass(frozen=True, slots=True)
class AwaitLabels:
    """Wait until every replica answers a call with these labels by these versions."""

    labels: Mapping[str, int]

    def __str__(self) -> str:
        return f"wait until every replica answers {_told(self.labels)}"


@dataclass(frozen=True, slots=True)
class Settle:
    """Let callers who have just resolved an old label reach the version that it meant."""

    def __str__(self) -> str:
        return "let calls with the old labels find their version"


@dataclass(frozen=True, slots=True)
class AwaitGone:
    """Wait until these versions serve nowhere."""

    versions: tuple[int, ...]

    def __str__(self) -> str:
        return f"wait until {_named(self.versions)} unloaded from every replica"


Step = Write | Push | AwaitAvailable | AwaitLabels | Settle | AwaitGone


def plan(current: Current, wanted: Desired, *, down_too: bool = False) -> tuple[Step, ...]:
    """The steps, in order; none if all of it holds.

    Args:
        current: Where things are.
        wanted: Where they should be.
        down_too: Whether to go on though a replica does not answer: it will read the file of
            record when it comes back.

    Raises:
        Refused: There is no safe way; it says why, and what to do.
    """
    check(current, wanted, down_too=down_too)
    up = current.up
    before, wants = current.recorded, frozenset(wanted.versions)
    both = _specific(wants | _kept(current))
    steps: list[Step] = []
    told = before
    loading = tuple(sorted(v for v in wants if not all(v in one.available for one in up)))
    if both != before.policy:
        told = ModelEntry(both, before.labels)
        steps.append(Write(told))
    elif loading:
        steps.append(Push())
    if loading:
        steps.append(AwaitAvailable(loading))
    labels = dict(wanted.labels)
    if labels != dict(told.labels):
        told = ModelEntry(both, labels)
        steps.append(Write(told))
        steps.append(AwaitLabels(labels))
    elif any(one.labels.get(label) != version for one in up for label, version in labels.items()):
        steps += [] if steps else [Push()]
        steps.append(AwaitLabels(labels))
    leaving = tuple(sorted(both.versions - wants))
    if leaving:
        steps += [Settle()] if _available(current).intersection(leaving) else []
        steps.append(Write(ModelEntry(_specific(wants), labels)))
    stray = _available(current) - wants
    if gone := tuple(sorted({*leaving, *stray})):
        steps += [] if steps else [Push()]
        steps.append(AwaitGone(gone))
    return tuple(steps)


def check(current: Current, wanted: Desired, *, down_too: bool = False) -> None:
    """Whether there is a safe way at all.

    Raises:
        Refused: There is none; it says why, and what to do.
    """
    if not current.replicas:
        raise Refused("no replica is known: name the servers with --targets")
    if current.down and (not down_too or len(current.down) == len(current.replicas)):
        told = "; ".join(f"{one.target}: {one.error}" for one in current.down)
        raise Refused(
            f"a replica does not answer ({told}). A change has to be seen on every replica: start "
            "it, or leave it out of --targets if it is meant to be gone"
        )
    for label, version in wanted.labels.items():
        if version not in wanted.versions:
            raise Refused(
                f"label {label!r} would point at version {version}, which would not be loaded"
            )
    for version in sorted(wanted.versions):
        _check_version(current, version)


def _check_version(current: Current, version: int) -> None:
    for replica in current.replicas:
        if failure := replica.failure(version):
            retire = f", and `retire {version}`" if version in current.aspired else ""
            raise Refused(
                f"version {version} could not be loaded by {replica.target}: {failure}. A server "
                f"does not try the same number again: publish what is mended as version "
                f"{unused(current)}{retire}"
            )
        if replica.up and version in replica.available and version not in current.aspired:
            _check_fallback(current, version, replica.target, replica.available)
    if version in current.aspired and current.recorded.policy.kind == "specific":
        return  # it is on its way, or there
    if version in current.burned:
        raise Refused(
            f"version {version} {current.burned[version]}. A number is never used again: publish "
            f"what is mended as version {unused(current)}"
        )
    if version not in current.on_disk and not current.available_everywhere(version):
        there = ", ".join(map(str, current.on_disk)) or "none"
        raise Refused(
            f"version {version} is not on disk (there: {there}). Put it there whole with "
            "`publish DIR`, or export it"
        )


def _check_fallback(current: Current, version: int, target: str, available: Iterable[int]) -> None:
    """Refuses a version that serves on a replica only because its successor failed."""
    if current.aspired & set(available):
        raise Refused(
            f"version {version} is just being unloaded by {target}: begin again in a moment"
        )
    raise Refused(
        f"version {version} serves on {target} only because what should follow it "
        f"({_named(sorted(current.aspired))} wanted) is not AVAILABLE, and a server never takes up "
        "again what it was told to leave. Either publish a version that loads and `promote` it: it "
        f"takes over when it is AVAILABLE. Or let models.config name version {version} alone, "
        "restart the replicas one at a time, and begin again"
    )


def _kept(current: Current) -> frozenset[int]:
    """What must stay in the list while labels may still point at it.

    Of a policy that is not `specific`, what serves; else what is listed.
    """
    if current.recorded.policy.kind == "specific":
        return current.recorded.policy.versions
    return current.aspired & _available(current)


def _available(current: Current) -> frozenset[int]:
    """What any replica answers with."""
    return frozenset().union(*(replica.available for replica in current.replicas))


def unused(current: Current) -> int:
    """The next number that no version has had."""
    return max([0, *current.on_disk, *current.burned]) + 1


def _specific(versions: Iterable[int]) -> Policy:
    return Policy("specific", frozenset(versions))


def _named(versions: Iterable[int]) -> str:
    listed = [str(version) for version in versions]
    if not listed:
        return "no version is"
    return f"version {listed[0]} is" if len(listed) == 1 else f"versions {', '.join(listed)} are"


def _told(labels: Mapping[str, int]) -> str:
    return ", ".join(f"{label} = {version}" for label, version in sorted(labels.items()))
