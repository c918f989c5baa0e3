"""How a call is made, where it is not to be made as the client was told at its start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict, TypeVar

from seq2sum._deadline import DEFAULT, Timeout
from seq2sum._metadata import Header
from seq2sum._servable import Servable

Value = TypeVar("Value")


class How(TypedDict, total=False):
    """Keywords of every method that asks the model."""

    version: int | None
    """A model version to ask; None for the latest that is available."""
    label: str | None
    """A label of the server's configuration to ask, like `canary`; not beside a version."""
    key: str | bytes | None
    """Who asks: a split gives the same key the same side each time."""
    timeout: Timeout
    """Seconds; None for no limit. Left out: as the client was told."""
    metadata: Sequence[Header]
    """Headers of this call alone."""


class Pace(How, total=False):
    """Keywords of the methods that stream."""

    in_flight: int | None
    """RPCs under way at a time; None for as many as the client allows."""
    rows: int
    """Questions in one RPC. A slow source that is to be answered line by line needs 1."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The keywords with what stands for those that were left out."""

    version: int | None = None
    label: str | None = None
    key: str | bytes | None = None
    timeout: Timeout = DEFAULT
    metadata: Sequence[Header] = ()


class Route(NamedTuple):
    """What a call is for, and the headers of its own. Calls of one route may be merged."""

    servable: Servable
    metadata: tuple[Header, ...] = ()


def many(questions: Value) -> Value:
    """The questions, if they are not by mistake the letters of a single one."""
    if isinstance(questions, str | bytes):
        raise TypeError("this takes many questions, and not a text; for a single one there is add")
    return questions
