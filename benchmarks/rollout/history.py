"""The history of a rollout while it is written, and shares measured at Envoy by its steps."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from seq2sum_serving.deployment.event_log import Event, EventKind, parse_event

POLL_SECONDS = 0.005
GROUPS = ("stable", "candidate")


def timestamp(event: Event) -> float:
    """Returns the time of an event in seconds since 1970."""
    return datetime.fromisoformat(event.time).timestamp()


class HistoryTail:
    """Returns each event of a history once.

    Args:
        path: The file, which may not exist yet.
        skip: Whether to leave out the events that are in it already.
    """

    def __init__(self, path: Path, *, skip: bool = False) -> None:
        self._path = path
        self._read = 0
        if skip:
            self.new()

    def new(self) -> list[Event]:
        """Returns the events since the last call; the last line may still be incomplete."""
        try:
            if self._path.stat().st_size <= self._read:
                return []
            with self._path.open("rb") as file:
                file.seek(self._read)
                lines = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        self._read += sum(len(line) + 1 for line in lines)
        return [parse_event(line) for line in lines if line]


@dataclass(frozen=True, slots=True)
class Step:
    """A completed step of a run, and the calls that Envoy sent to each group meanwhile."""

    version: int | None
    weight: float
    """Percent of the calls that the candidate group is to answer."""
    mirror: float
    """Percent of the calls that it is to get copies of."""
    stable: int
    """Calls sent to the stable group."""
    candidate: int
    """Calls, or copies of calls, sent to the candidate group."""
    start: float
    """Seconds since 1970."""
    end: float


class Shares:
    """Counts the calls of each step while the `with` block is open.

    Args:
        history: The file.
        calls: Returns the calls that Envoy has sent to each group so far.
    """

    def __init__(self, history: Path, calls: Callable[[], Mapping[str, int]]) -> None:
        self.steps: list[Step] = []
        self._tail = HistoryTail(history)
        self._calls = calls
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._started: tuple[Event, Mapping[str, int]] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._over.is_set():
            for event in self._tail.new():
                self._see(event)
            time.sleep(POLL_SECONDS)

    def _see(self, event: Event) -> None:
        if event.kind == EventKind.STEP_STARTED:
            self._started = event, self._calls()
        elif event.kind == EventKind.STEP_COMPLETED and self._started is not None:
            (start, before), after = self._started, self._calls()
            sent = {group: after[group] - before[group] for group in GROUPS}
            weights = start.details["weight"], start.details.get("mirror", 0)
            times = {"start": timestamp(start), "end": timestamp(event)}
            self.steps.append(Step(event.version, *map(float, weights), **sent, **times))
            self._started = None
        elif event.kind != EventKind.MEASUREMENT:
            self._started = None  # the run was killed, or ended


def envoy_calls(http: Callable[[str], str]) -> dict[str, int]:
    """Returns the calls that Envoy has sent to each group, by gRPC and REST together.

    Args:
        http: Returns Envoy's reply to a GET of a path.
    """
    found = dict.fromkeys(GROUPS, 0)
    path = r"/stats?format=json&filter=^cluster\.(stable|candidate)(-rest)?\.upstream_rq_total$"
    for entry in json.loads(http(path))["stats"]:
        group = entry["name"].split(".")[1].removesuffix("-rest")
        found[group] += entry["value"]
    return found
