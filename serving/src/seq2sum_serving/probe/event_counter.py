"""Counts the events in the rollout history incrementally: each round reads only new lines.

After a rotation of the file the counts restart at 0, as Prometheus counters may. A file that was
rewritten in place is counted again from its start.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from seq2sum_serving.deployment import in_service
from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import EventKind, parse_event
from seq2sum_serving.probe.observation import Events

INITIAL_KINDS = (
    EventKind.PUBLISHED,
    EventKind.RUN_STARTED,
    EventKind.RUN_ENDED,
    EventKind.ANALYSIS_PASSED,
    EventKind.CANARY_STARTED,
    EventKind.PROMOTED,
    EventKind.ROLLED_BACK,
    EventKind.FAILED,
    EventKind.ABORTED,
    EventKind.RETIRED,
    EventKind.REPAIRED,
)
"""Exported with 0 from the start, so that `rate` and `increase` see the first event."""
NO_EVENTS = Events(dict.fromkeys(map(str, INITIAL_KINDS), 0))


@dataclass(frozen=True, slots=True)
class ReadPosition:
    """The end of what has been read of a file."""

    file: tuple[int, int] = (0, 0)
    """Device and inode."""
    offset: int = 0
    """Number of bytes read."""
    last_line: bytes = b""
    """The line before the offset; if it differs at the next read, the file was rewritten."""


class EventCounter:
    """Counts the events of one model in a history file."""

    def __init__(self, path: Path, model: str) -> None:
        self.path = path
        self._model = model
        self._position = ReadPosition()
        self._events = NO_EVENTS

    def read(self) -> Events:
        """Returns the events in the file so far; all counts are 0 if the file does not exist.

        Raises:
            Failed: The file cannot be read.
        """
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return self._read_new_lines(handle)
            finally:
                os.close(handle)
        except FileNotFoundError:
            self._position, self._events = ReadPosition(), NO_EVENTS
            return self._events
        except OSError as error:
            raise Failed(f"cannot read the history {self.path}: {error.strerror}") from error

    def _read_new_lines(self, handle: int) -> Events:
        status, position = os.fstat(handle), self._position
        file = (status.st_dev, status.st_ino)
        start = position.offset - len(position.last_line)
        last_line = os.pread(handle, len(position.last_line), start)
        if file != position.file or last_line != position.last_line:
            position, self._events = ReadPosition(file), NO_EVENTS
        new = os.pread(handle, max(0, status.st_size - position.offset), position.offset)
        complete = new[: new.rfind(b"\n") + 1]  # a line that is being written is read next time
        if complete:
            lines = complete.splitlines(keepends=True)
            self._events = count_lines(self._events, lines, self._model)
            position = ReadPosition(file, position.offset + len(complete), lines[-1])
        self._position = position
        return self._events


def count_lines(previous: Events, lines: Iterable[bytes], model: str) -> Events:
    """Returns the events after further lines."""
    counts = Counter(previous.counts)
    timestamps, invalid = dict(previous.last_timestamps), previous.invalid_lines
    of_service = list(previous.of_service)
    for line in lines:
        try:
            event = parse_event(line)
            timestamp = datetime.fromisoformat(event.time).timestamp()
        except (ValueError, TypeError):  # edited by hand
            invalid += 1
            continue
        if event.model == model:
            counts[str(event.kind)] += 1
            timestamps[str(event.kind)] = timestamp
            if event.kind in in_service.KINDS:
                of_service.append(event)
    return Events(dict(counts), timestamps, invalid, of_service)
