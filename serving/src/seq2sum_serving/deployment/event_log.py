"""What was done, by whom and why: a file of JSON lines that is only ever added to.

It is also what `run` goes on from after a kill. So a line is on disk before the next step is
taken, and a line that a crash cut short is taken away before the next one is written.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seq2sum_serving.deployment import atomic_file
from seq2sum_serving.deployment.errors import Failed, Mistake


@dataclass(frozen=True, slots=True)
class Event:
    """One line."""

    what: str
    """`published`, `run began`, `gate`, `labels`, `traffic`, `promoted`, `rolled back`, ..."""
    version: int | None = None
    """The version that it is about."""
    why: str = ""
    """The operator's words, or what led to it."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What belongs to it: a gate's verdict and figures, labels, weights."""
    run: str = ""
    """Which `run` it is a part of; empty for a verb of its own."""
    model: str = ""
    when: str = ""
    """UTC, ISO 8601, to the millisecond."""
    who: str = ""
    """`user@host`."""


def who() -> str:
    """Who is at work: `user@host`, as far as the system knows."""
    with suppress(OSError, KeyError):
        return f"{getpass.getuser()}@{socket.gethostname()}"
    return f"{os.getuid()}@{socket.gethostname()}"


def now() -> str:
    """UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parsed(line: bytes) -> Event:
    """The event in a line.

    Raises:
        ValueError: The line is not a valid event.
    """
    try:
        event = Event(**json.loads(line))
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not a valid event: {error}") from error
    texts = (event.what, event.why, event.run, event.model, event.when, event.who)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("not a valid event: a field that holds text holds something else")
    if event.version is not None and type(event.version) is not int:
        raise ValueError(f"not a valid event: version {event.version!r}")
    if not isinstance(event.figures, dict):
        raise ValueError("not a valid event: figures are not an object")
    return event


class History:
    """The file. Several processes may add to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check_writable(self) -> None:
        """Checks that a line could be added; writes nothing.

        Raises:
            Failed: It could not.
        """
        path = self.path
        while not path.exists() and path != path.parent:
            path = path.parent
        try:
            atomic_file.check_access(path, os.W_OK)
        except OSError as error:
            raise self._unwritten(error.strerror) from error

    def add(self, event: Event) -> Event:
        """Writes a line through to the disk; gives back the event with time and person.

        Raises:
            Failed: It cannot be written; nothing of it is left in the file.
        """
        told = Event(**{**asdict(event), "when": now(), "who": event.who or who()})
        line = json.dumps(asdict(told), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        try:
            with self._opened() as handle:
                end = whole(handle)
                try:
                    written = os.write(handle, line)
                    if written < len(line):  # the disk filled up in the middle of it
                        raise OSError(28, "No space left on device")
                    os.fsync(handle)
                except OSError:
                    os.ftruncate(handle, end)
                    raise
        except OSError as error:
            raise self._unwritten(error.strerror) from error
        return told

    def events(self, model: str | None = None) -> list[Event]:
        """All lines in order, of one model or of all; what a crash cut short is left out.

        Raises:
            Mistake: The file cannot be read, or a whole line of it is no event.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Mistake(f"cannot read the history {self.path}: {error.strerror}") from error
        found = []
        for number, line in enumerate(data.split(b"\n")[:-1], start=1):
            try:
                event = parsed(line)
            except ValueError as error:
                raise Mistake(
                    f"line {number} of the history {self.path} is no event: it was edited. "
                    "Take the line out, or name another file with --history"
                ) from error
            if model is None or event.model == model:
                found.append(event)
        return found

    def _unwritten(self, reason: str | None) -> Failed:
        return Failed(
            f"cannot write the history {self.path}: {reason}. Nothing is done that would not be "
            "in it: make room or name another file with --history"
        )

    @contextmanager
    def _opened(self) -> Iterator[int]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)  # and the lock with it


def whole(handle: int) -> int:
    """Takes away a last line that a crash cut short; gives back the file's length."""
    end = length = os.fstat(handle).st_size
    step = 4096
    while end > 0:
        begin = max(0, end - step)
        found = os.pread(handle, end - begin, begin).rfind(b"\n")
        if found >= 0:
            end = begin + found + 1
            break
        end = begin
    if end < length:
        os.ftruncate(handle, end)
    return end


def spent(events: Sequence[Event]) -> dict[int, str]:
    """The versions that failed or were rolled back, and what became of each.

    One that was promoted after that, by a person's decision, is none of them.
    """
    found: dict[int, str] = {}
    for event in events:
        if event.version is None:
            continue
        if event.what in ("failed", "rolled back"):
            found[event.version] = f"{event.what} on {event.when}: {event.why.rstrip('.')}"
        elif event.what == "promoted":
            found.pop(event.version, None)
    return found
