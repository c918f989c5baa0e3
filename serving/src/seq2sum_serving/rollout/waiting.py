"""What a replica has yet to do before a step of a rollout is done, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from seq2sum import State

from seq2sum_serving.deployment.errors import VersionFailed
from seq2sum_serving.deployment.state import Replica

SERVING = (State.AVAILABLE, State.UNLOADING)
"""States of a version that a call may still be in."""
NOT_TAKEN_UP = "not taken up"
STUCK = (
    " (it may be stuck on a version that it was told to leave when another one failed: restart it)"
)


def unavailable(replica: Replica, versions: Iterable[int]) -> str:
    """Which of the versions a replica does not serve yet; empty if none.

    Raises:
        VersionFailed: One never will: its load failed.
    """
    waiting = []
    for version in versions:
        if failure := replica.failure(version):
            raise VersionFailed(
                f"version {version} could not be loaded by {replica.target}: {failure}. A server "
                "does not try the same number again: publish what is mended under a new one"
            )
        if version not in replica.available:
            entry = replica.versions.get(version)
            waiting.append(f"version {version} is {entry.state.name if entry else NOT_TAKEN_UP}")
            if entry is None and any(map(replica.failure, replica.versions)):
                waiting[-1] += STUCK
    return ", ".join(waiting)


def unlabelled(replica: Replica, labels: Mapping[str, int]) -> str:
    """Which labels a replica answers by another version; empty if none."""
    return ", ".join(
        f"label {label!r} means {'no version' if found is None else found}, not {version}"
        for label, version in labels.items()
        if (found := replica.labels.get(label)) != version
    )


def still_there(replica: Replica, versions: Iterable[int]) -> str:
    """Which of the versions a replica still serves; empty if none."""
    return ", ".join(
        f"version {version} is {entry.state.name}"
        for version in versions
        if (entry := replica.versions.get(version)) is not None and entry.state in SERVING
    )
