"""The event log of a deployment: JSON lines that are only ever appended.

`run` resumes from it after a kill. Each line is therefore on disk before the next step is taken,
and the rest of a line that a crash cut short is removed before the next line is written.
"""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from seq2sum_serving.deployment import atomic_file
from seq2sum_serving.deployment.errors import Failed, UsageError

FORMAT = 2
"""Version of the stored format, in every line. Lines of format 1 have no `format` field."""


class EventKind(StrEnum):
    """Kinds of events, as stored, shown by `history` and exported by the probe."""

    PUBLISH_STARTED = "publish started"
    """`run DIR` has chosen a version number for the folder."""
    PUBLISHED = "published"
    RUN_STARTED = "run started"
    RUN_ENDED = "run ended"
    """`outcome`: a `Verdict`."""
    MEASUREMENT = "measurement"
    """One gate's result: `gate`, `verdict`, `message` and the measured values."""
    FILES_PASSED = "files passed"
    """The version passed every gate that needs its files alone."""
    ANALYSIS_PASSED = "analysis passed"
    """The version passed every gate that needs no traffic."""
    STEP_STARTED = "step started"
    """The canary got `weight` percent of the traffic, for `seconds`."""
    STEP_COMPLETED = "step completed"
    """The canary passed the live gates at `weight` percent."""
    VERSIONS_SET = "versions set"
    """The `versions` that servers aspire to changed."""
    LABELS_SET = "labels set"
    WEIGHTS_SET = "weights set"
    CANDIDATE_SET = "candidate set"
    """The `versions` and `labels` of the candidate group changed."""
    CANARY_STARTED = "canary started"
    """An operator made the version the canary, with the command `canary`."""
    PROMOTED = "promoted"
    FAILED = "failed"
    """The version failed before it had traffic. Its number is burned."""
    ROLLED_BACK = "rolled back"
    """The version had traffic, and lost it. Its number is burned."""
    ABORTED = "aborted"
    """A run ended for a reason other than its version. The number stays usable."""
    RETIRED = "retired"
    REPAIRED = "repaired"


class Verdict(StrEnum):
    """Result of one gate, or of all of them together, in the terms of Argo Rollouts."""

    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    """Too little was measured: the run pauses for a person to decide."""
    ERROR = "Error"
    """The measurement failed, and the policy does not require it: does not stop the run."""
    SKIPPED = "Skipped"
    """Nothing to measure or to compare with: does not stop the run."""


class Event(Struct, frozen=True, forbid_unknown_fields=True, tag_field="format", tag=FORMAT):
    """One line."""

    kind: str
    """An `EventKind`."""
    version: int | None = None
    """The version that it is about."""
    reason: str = ""
    """The operator's words, or the cause."""
    details: Mapping[str, Any] = {}
    """Values that depend on the kind: labels, weights, a gate's measured values."""
    run: str = ""
    """Identifier of the `run` that it is part of; empty for other commands."""
    model: str = ""
    time: str = ""
    """UTC, ISO 8601, to the millisecond."""
    user: str = ""
    """`user@host`."""


class _Line(Struct, frozen=True):
    """The part of a line that all formats have."""

    format: int = 1


class OtherFormat(ValueError):
    """A line was written in another version of the format."""


def current_user() -> str:
    """Returns `user@host` of this process, or its numeric user ID if the name is unknown."""
    with suppress(OSError, KeyError):
        return f"{getpass.getuser()}@{socket.gethostname()}"
    return f"{os.getuid()}@{socket.gethostname()}"


def utc_now() -> str:
    """Returns the current time: UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_event(line: bytes) -> Event:
    """Returns the event in a line.

    Raises:
        OtherFormat: The line has another format version.
        ValueError: The line is not a valid event.
    """
    try:
        if msgspec.json.decode(line, type=_Line).format == FORMAT:
            return msgspec.json.decode(line, type=Event)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"not a valid event: {error}") from error
    raise OtherFormat(f"not an event of format {FORMAT}")


class EventLog:
    """The file. Several processes may append to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check_writable(self) -> None:
        """Checks that a line could be appended; writes nothing.

        Raises:
            Failed: It could not.
        """
        path = self.path
        while not path.exists() and path != path.parent:
            path = path.parent
        try:
            atomic_file.check_access(path, os.W_OK)
        except OSError as error:
            raise self._cannot_write(error.strerror) from error

    def append(self, event: Event) -> Event:
        """Writes an event through to the disk; returns it with time and user filled in.

        Raises:
            Failed: The event could not be written; no part of it is left in the file.
        """
        event = replace(event, time=utc_now(), user=event.user or current_user())
        line = msgspec.json.encode(event) + b"\n"
        try:
            with self._locked() as handle:
                end = drop_torn_line(handle)
                try:
                    written = os.write(handle, line)
                    if written < len(line):  # the disk filled up in the middle of it
                        raise OSError(28, "No space left on device")
                    os.fsync(handle)
                except OSError:
                    os.ftruncate(handle, end)
                    raise
        except OSError as error:
            raise self._cannot_write(error.strerror) from error
        return event

    def events(self, model: str | None = None) -> list[Event]:
        """Returns the events in order, of one model or of all, without a line cut short by a crash.

        Raises:
            UsageError: The file cannot be read, or a complete line is not a valid event.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UsageError(f"cannot read the history {self.path}: {error.strerror}") from error
        events = []
        for number, line in enumerate(data.split(b"\n")[:-1], start=1):
            try:
                event = parse_event(line)
            except OtherFormat as error:
                raise UsageError(
                    f"line {number} of the history {self.path} is {error}: another version of "
                    "seq2sum-rollout wrote it. Move the file away to start a new history, or name "
                    "another file with --history; numbers of failed versions in the old file are "
                    "then no longer refused"
                ) from error
            except ValueError as error:
                raise UsageError(
                    f"line {number} of the history {self.path} is {error}. The file was edited: "
                    "remove the line, or name another file with --history"
                ) from error
            if model is None or event.model == model:
                events.append(event)
        return events

    def _cannot_write(self, reason: str | None) -> Failed:
        return Failed(
            f"cannot write the history {self.path}: {reason}. Nothing is changed that the history "
            "cannot record: make room, or name another file with --history"
        )

    @contextmanager
    def _locked(self) -> Iterator[int]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)  # releases the lock


def drop_torn_line(handle: int) -> int:
    """Removes a last line that a crash cut short; returns the length of the file."""
    end = length = os.fstat(handle).st_size
    step = 4096
    while end > 0:
        begin = max(0, end - step)
        newline = os.pread(handle, end - begin, begin).rfind(b"\n")
        if newline >= 0:
            end = begin + newline + 1
            break
        end = begin
    if end < length:
        os.ftruncate(handle, end)
    return end


def burned(events: Sequence[Event]) -> dict[int, str]:
    """Returns the versions that failed or were rolled back, each with what happened to it.

    A version that an operator promoted afterwards is not burned.
    """
    versions: dict[int, str] = {}
    for event in events:
        if event.version is None:
            continue
        if event.kind in (EventKind.FAILED, EventKind.ROLLED_BACK):
            versions[event.version] = f"{event.kind} on {event.time}: {event.reason.rstrip('.')}"
        elif event.kind == EventKind.PROMOTED:
            versions.pop(event.version, None)
    return versions
