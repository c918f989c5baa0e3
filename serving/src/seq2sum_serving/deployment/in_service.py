"""The versions that were in service: their files bind later versions, those of others do not.

Nobody relied on what a version promised that failed, was rolled back or never became stable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from seq2sum_serving.deployment.event_log import Event, EventKind
from seq2sum_serving.deployment.model_store import ModelStore
from seq2sum_serving.deployment.state import PREVIOUS, STABLE

Content = TypeVar("Content")

ENDS = (EventKind.FAILED, EventKind.ROLLED_BACK, EventKind.ABORTED)
"""Events after which a version no longer counts, unless it becomes stable again."""
KINDS = (EventKind.LABELS_SET, EventKind.PROMOTED, *ENDS)
"""The events that `versions` needs; it ignores others."""


def versions(events: Sequence[Event], labels: Mapping[str, int]) -> frozenset[int]:
    """Returns the versions that are or were in service, without those that failed there.

    Args:
        events: The model's history.
        labels: The model's labels in the model config file.
    """
    found: set[int] = set()
    ended: set[int] = set()
    for event in events:
        if event.kind == EventKind.LABELS_SET and isinstance(event.details.get(STABLE), int):
            found.add(event.details[STABLE])
            ended.discard(event.details[STABLE])
        elif event.kind == EventKind.PROMOTED and event.version is not None:
            ended.discard(event.version)
        elif event.kind in ENDS and event.version is not None:
            ended.add(event.version)
    labeled = {labels[label] for label in (STABLE, PREVIOUS) if label in labels}
    return frozenset((found | labeled) - ended)


def nearest_file(
    store: ModelStore,
    version: int,
    events: Sequence[Event],
    labels: Mapping[str, int],
    read: Callable[[Path], Content | None],
) -> tuple[int, Content] | None:
    """Returns a file of a version, or else of the nearest lower version that was in service.

    Args:
        store: The base path.
        version: The version; its own file counts whether it was in service or not.
        events: The model's history.
        labels: The model's labels in the model config file.
        read: Reads the file in a version's folder; returns None if the folder has none.

    Returns:
        The version whose file it is, and the content; None if no such version has the file.
    """
    on_disk = store.versions()
    lower = (number for number in versions(events, labels) if number < version)
    for number in (version, *sorted(lower, reverse=True)):
        if number in on_disk and (content := read(store.folder(number))) is not None:
            return number, content
    return None
