"""Where things are not as the file of record says, in sentences.

Every sentence names the replica, the version or the label, so that it can be acted on. Replicas
that differ in the same way share one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from seq2sum import State

from seq2sum_serving.deployment.state import Current, Replica

ON_THEIR_WAY = (State.START, State.LOADING, State.AVAILABLE)
"""States of a version that is loaded or about to be. What is UNLOADING or END needs no word when
nobody wants it."""


def drift(current: Current) -> list[str]:
    """A sentence for every difference between the file of record, the disk and the replicas."""
    return [
        *silent(current),
        *_record(current),
        *_wanted(current),
        *_unwanted(current),
        *label_drift(current),
    ]


def first_line(text: str) -> str:
    """What an error says first: the rest is paths and traces."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason is given")


def silent(current: Current) -> Iterator[str]:
    """Which replicas do not answer, and why."""
    for replica in current.down:
        yield f"{replica.target} does not answer: {first_line(replica.error)}"


def _record(current: Current) -> Iterator[str]:
    policy = current.recorded.policy
    if policy.kind != "specific":
        told = f"latest {policy.count}" if policy.kind == "latest" else policy.kind
        yield (
            f"the policy in the file of record is {told}, not specific: the folder decides "
            "what is loaded"
        )
    if current.stable is None:
        yield "no version is stable yet in the file of record"
    for version in sorted(current.aspired - set(current.on_disk)):
        yield f"version {version} is wanted, and is missing on disk"
    for label, version in sorted(current.recorded.labels.items()):
        if version not in current.aspired:
            yield f"label {label} is on version {version}, which the file of record does not want"


def _wanted(current: Current) -> Iterator[str]:
    for version in sorted(current.aspired):
        yield from _grouped(
            current,
            (
                (replica, _shortcoming(replica, version))
                for replica in current.up
                if version not in replica.available
            ),
            f"version {version} is wanted, and ",
        )


def _shortcoming(replica: Replica, version: int) -> tuple[str, str]:
    """What a version is on a replica that does not answer with it, and why."""
    entry = replica.versions.get(version)
    if entry is None:
        return "is not known", ""
    if entry.state is not State.END:
        return f"is {entry.state.name}", ""
    if not entry.error:
        return "is unloaded (END)", ""
    return "failed to load (END)", f": {first_line(entry.error)}"


def _unwanted(current: Current) -> Iterator[str]:
    up = current.up
    known = {version for replica in up for version in replica.versions}
    for version in sorted(known - current.aspired):
        yield from _grouped(
            current,
            (
                (replica, (replica.versions[version].state.name, ""))
                for replica in up
                if version in replica.versions and replica.versions[version].state in ON_THEIR_WAY
            ),
            f"version {version} is not wanted, and is ",
        )


def label_drift(current: Current) -> Iterator[str]:
    """Which labels mean other versions than the file of record says, and where."""
    up = current.up
    recorded = current.recorded.labels
    for label in sorted({*recorded, *(label for replica in up for label in replica.labels)}):
        if label in recorded:
            begin = f"label {label} should be {_named(recorded[label])}, and is "
        else:
            begin = f"label {label} is not in the file of record, and is "
        yield from _grouped(
            current,
            (
                (replica, (_named(replica.labels[label]), ""))
                for replica in up
                if label in replica.labels and replica.labels[label] != recorded.get(label)
            ),
            begin,
        )


def _grouped(
    current: Current, found: Iterable[tuple[Replica, tuple[str, str]]], begin: str
) -> Iterator[str]:
    """One sentence for all replicas of which the same is to be said: what, where, why."""
    groups: dict[tuple[str, str], list[Replica]] = {}
    for replica, said in found:
        groups.setdefault(said, []).append(replica)
    for (what, why), replicas in groups.items():
        yield f"{begin}{what} on {_where(current, replicas)}{why}"


def _where(current: Current, replicas: Sequence[Replica]) -> str:
    if len(replicas) == len(current.replicas) > 1:
        return "every replica"
    *others, last = [replica.target for replica in replicas]
    return f"{', '.join(others)} and {last}" if others else last


def _named(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
