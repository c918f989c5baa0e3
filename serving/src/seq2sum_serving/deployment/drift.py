"""Config drift: differences between the model config file, the disk and the replicas.

Each sentence names the replica, the version or the label to act on. Replicas that differ in the
same respect share a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from seq2sum import State

from seq2sum_serving.deployment.plain_text import first_line
from seq2sum_serving.deployment.state import Current, Replica

LOADED_SOON = (State.START, State.LOADING, State.AVAILABLE)
"""States of a version that is loaded or about to be. A version that is not aspired counts as drift
in these states, but not in UNLOADING and END."""


def drift(current: Current) -> list[str]:
    """Returns a sentence for every difference."""
    return [
        *_down(current),
        *_config(current),
        *_not_available(current),
        *_not_aspired(current),
        *label_drift(current),
    ]


def _down(current: Current) -> Iterator[str]:
    for replica in current.down:
        yield f"{replica.target} does not answer: {first_line(replica.error)}"


def _config(current: Current) -> Iterator[str]:
    policy = current.recorded.policy
    if policy.kind != "specific":
        shown = f"latest {policy.count}" if policy.kind == "latest" else policy.kind
        yield (
            f"the policy in the model config file is {shown}, not specific: the folder decides "
            "what is loaded"
        )
    if current.stable is None:
        yield "no version is stable in the model config file"
    for version in sorted(current.aspired - set(current.on_disk)):
        yield f"version {version} is aspired, and is missing on disk"
    for label, version in sorted(current.recorded.labels.items()):
        if version not in current.aspired:
            yield f"label {label} is on version {version}, which is not aspired"


def _not_available(current: Current) -> Iterator[str]:
    for version in sorted(current.aspired):
        yield from _grouped(
            current,
            (
                (replica, _shortcoming(replica, version))
                for replica in current.up
                if version not in replica.available
            ),
            f"version {version} is aspired, and ",
        )


def _shortcoming(replica: Replica, version: int) -> tuple[str, str]:
    """Returns the state of a version that is not AVAILABLE, and the reason."""
    entry = replica.versions.get(version)
    if entry is None:
        return "is not known", ""
    if entry.state is not State.END:
        return f"is {entry.state.name}", ""
    if not entry.error:
        return "is unloaded (END)", ""
    return "failed to load (END)", f": {first_line(entry.error)}"


def _not_aspired(current: Current) -> Iterator[str]:
    up = current.up
    known = {version for replica in up for version in replica.versions}
    for version in sorted(known - current.aspired):
        yield from _grouped(
            current,
            (
                (replica, (replica.versions[version].state.name, ""))
                for replica in up
                if version in replica.versions and replica.versions[version].state in LOADED_SOON
            ),
            f"version {version} is not aspired, and is ",
        )


def label_drift(current: Current) -> Iterator[str]:
    """Yields a sentence for every label that points at another version than in the config file."""
    up = current.up
    recorded = current.recorded.labels
    for label in sorted({*recorded, *(label for replica in up for label in replica.labels)}):
        if label in recorded:
            start = f"label {label} should be {_named(recorded[label])}, and is "
        else:
            start = f"label {label} is not in the model config file, and is "
        yield from _grouped(
            current,
            (
                (replica, (_named(replica.labels[label]), ""))
                for replica in up
                if label in replica.labels and replica.labels[label] != recorded.get(label)
            ),
            start,
        )


def _grouped(
    current: Current, found: Iterable[tuple[Replica, tuple[str, str]]], start: str
) -> Iterator[str]:
    """Yields one sentence for all replicas with the same finding: what, where, why."""
    groups: dict[tuple[str, str], list[Replica]] = {}
    for replica, finding in found:
        groups.setdefault(finding, []).append(replica)
    for (what, why), replicas in groups.items():
        yield f"{start}{what} on {_where(current, replicas)}{why}"


def _where(current: Current, replicas: Sequence[Replica]) -> str:
    if len(replicas) == len(current.replicas) > 1:
        return "every replica"
    *others, last = [replica.target for replica in replicas]
    return f"{', '.join(others)} and {last}" if others else last


def _named(version: int | None) -> str:
    return "unset" if version is None else f"version {version}"
