"""Moments for a reader: UTC in the records, local time on the terminal."""

from __future__ import annotations

import re
from datetime import datetime

RECORDED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
"""A moment as `history.now` writes it."""


def parsed(when: str) -> datetime | None:
    """The moment in local time; None if the text is none."""
    try:
        return datetime.fromisoformat(when).astimezone()
    except (ValueError, OverflowError):
        return None


def local(when: str) -> str:
    """Local time to the second, `2026-07-14 11:31:02`; a text that is no moment as it is."""
    moment = parsed(when)
    return when if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")


def clock(when: str, *, now: str) -> str:
    """The same, without the date where it is today's."""
    text = local(when)
    return text[11:] if text[:10] == local(now)[:10] else text


def local_within(text: str) -> str:
    """A text with the moments in it as local time."""
    return RECORDED.sub(lambda found: local(found.group()), text)


def seconds_between(begin: str, end: str) -> float | None:
    """Seconds from one moment to another; None if either is none."""
    first, last = parsed(begin), parsed(end)
    return None if first is None or last is None else (last - first).total_seconds()
