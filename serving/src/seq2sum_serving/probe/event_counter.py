"""The history of rollouts, counted while it grows: only what is new is read.

Counts are those of the file as it is. One that was rotated away begins anew, as a counter of
Prometheus' may; one that was only rewritten comes to the same counts again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import EventKind, parse_event
from seq2sum_serving.probe.observation import Events

AWAITED = (
    EventKind.PUBLISHED,
    EventKind.RUN_STARTED,
    EventKind.RUN_ENDED,
    EventKind.PROMOTED,
    EventKind.ROLLED_BACK,
    EventKind.RETIRED,
    EventKind.FAILED,
)
"""Counted from 0 on. A series that begins with its first event would hide that from a rate."""
NOTHING = Events(dict.fromkeys(map(str, AWAITED), 0))


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where a file was read."""

    file: tuple[int, int] = (0, 0)
    """Its device and its number there."""
    end: int = 0
    """The bytes before it."""
    last: bytes = b""
    """The line before it: another one there is another content of the same file."""


class Ledger:
    """One model's events in the file of a history."""

    def __init__(self, path: Path, model: str) -> None:
        self.path = path
        self._model = model
        self._place = Place()
        self._events = NOTHING

    def read(self) -> Events:
        """What there is by now; nothing where there is no file.

        Raises:
            Failed: The file cannot be read.
        """
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._place, self._events = Place(), NOTHING
            return self._events
        except OSError as error:
            raise Failed(f"cannot read the history {self.path}: {error.strerror}") from error
        try:
            return self._go_on(handle)
        except OSError as error:
            raise Failed(f"cannot read the history {self.path}: {error.strerror}") from error
        finally:
            os.close(handle)

    def _go_on(self, handle: int) -> Events:
        found, place = os.fstat(handle), self._place
        file = (found.st_dev, found.st_ino)
        before = os.pread(handle, len(place.last), place.end - len(place.last))
        if file != place.file or before != place.last:
            place, self._events = Place(file), NOTHING
        new = os.pread(handle, max(0, found.st_size - place.end), place.end)
        whole = new[: new.rfind(b"\n") + 1]  # what is written at this moment is read later
        if whole:
            lines = whole.splitlines(keepends=True)
            self._events = counted(self._events, lines, self._model)
            place = Place(file, place.end + len(whole), lines[-1])
        self._place = place
        return self._events


def counted(before: Events, lines: Iterable[bytes], model: str) -> Events:
    """The events with those in further lines."""
    counts, moments, skipped = Counter(before.counts), dict(before.moments), before.skipped
    for line in lines:
        try:
            event = parse_event(line)
            moment = datetime.fromisoformat(event.time).timestamp()
        except (ValueError, TypeError):  # edited by hand
            skipped += 1
            continue
        if event.model == model:
            counts[str(event.kind)] += 1
            moments[str(event.kind)] = moment
    return Events(dict(counts), moments, skipped)
