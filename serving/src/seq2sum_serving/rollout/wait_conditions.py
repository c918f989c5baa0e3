"""Conditions that a step of a change waits for.

Pure: each function returns what a replica still lacks, as text; empty if it lacks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from seq2sum import State

from seq2sum_serving.deployment.errors import VersionFailed
from seq2sum_serving.deployment.state import Replica

SERVING = (State.AVAILABLE, State.UNLOADING)
"""States of a version that may still answer a call."""
NOT_LISTED = "not listed"
STUCK = " (the replica may be stuck on an older version because a newer one failed: restart it)"


def not_available(replica: Replica, versions: Iterable[int]) -> str:
    """Returns which of the versions are not AVAILABLE.

    Raises:
        VersionFailed: One of them failed to load, and will never be AVAILABLE.
    """
    waiting = []
    for version in versions:
        if failure := replica.failure(version):
            raise VersionFailed(
                f"version {version} could not be loaded by {replica.target}: {failure}. A server "
                "does not load the same number again: publish the fixed model under a new one"
            )
        if version not in replica.available:
            entry = replica.versions.get(version)
            waiting.append(f"version {version} is {entry.state.name if entry else NOT_LISTED}")
            if entry is None and any(map(replica.failure, replica.versions)):
                waiting[-1] += STUCK
    return ", ".join(waiting)


def wrong_labels(replica: Replica, labels: Mapping[str, int]) -> str:
    """Returns which labels resolve to another version, or to none."""
    return ", ".join(
        f"label {label!r} is on {'no version' if found is None else found}, not {version}"
        for label, version in labels.items()
        if (found := replica.labels.get(label)) != version
    )


def answering(replica: Replica, versions: Iterable[int]) -> str:
    """Returns which of the versions still answer new calls."""
    return ", ".join(f"version {v} is AVAILABLE" for v in versions if v in replica.available)


def still_serving(replica: Replica, versions: Iterable[int]) -> str:
    """Returns which of the versions may still answer a call."""
    return ", ".join(
        f"version {version} is {entry.state.name}"
        for version in versions
        if (entry := replica.versions.get(version)) is not None and entry.state in SERVING
    )
