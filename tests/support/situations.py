"""States of a deployment in short notation, for tables of test cases."""

from __future__ import annotations

from seq2sum import State, VersionStatus
from seq2sum_serving.deployment.state import Current, ModelEntry, Policy, Replica

STATES = {
    "A": State.AVAILABLE,
    "L": State.LOADING,
    "S": State.START,
    "U": State.UNLOADING,
    "E": State.END,
    "F": State.END,
}
"""F is END with an error."""


def replica(text: str, labels: dict[str, int | None] | None = None, target: str = "a:1") -> Replica:
    """Returns a replica with these versions: in `1A 2F`, 1 is AVAILABLE and 2 failed to load."""
    states = {}
    for entry in text.split():
        number, letter = int(entry[:-1]), entry[-1]
        error = "NOT_FOUND no bundle" if letter == "F" else ""
        states[number] = VersionStatus(number, STATES[letter], error)
    return Replica(target, states, labels or {})


def recorded(versions: str | None, **labels: int) -> ModelEntry:
    """Returns an entry of a model config file; without a policy if `versions` is None."""
    if versions is None:
        return ModelEntry(Policy(), labels)
    if versions == "all":
        return ModelEntry(Policy("all"), labels)
    return ModelEntry(Policy("specific", frozenset(map(int, versions.split()))), labels)


def current(
    versions: str | None,
    *replicas: str,
    on_disk: str = "1 2 3 4",
    burned: dict[int, str] | None = None,
    down: int = 0,
    answering: dict[str, int | None] | None = None,
    **labels: int,
) -> Current:
    """Returns a state; labels on the replicas are those of the file unless `answering` is given."""
    resolved: dict[str, int | None] = dict(labels) if answering is None else answering
    found = [replica(text, resolved, f"r{n}:1") for n, text in enumerate(replicas)]
    found += [Replica(f"down{n}:1", error="UNAVAILABLE gone") for n in range(down)]
    disk = [int(number) for number in on_disk.split()]
    return Current(disk, recorded(versions, **labels), found, burned or {})
