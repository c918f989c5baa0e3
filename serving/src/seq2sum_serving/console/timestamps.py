"""Timestamps for a reader: UTC in files, local time on the terminal."""

from __future__ import annotations

import re
from datetime import datetime

RECORDED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
"""A timestamp as `event_log.now` writes it."""


def local(timestamp: str) -> str:
    """Formats a timestamp as local time, `2026-07-14 11:31:02`; returns other text unchanged."""
    try:
        return datetime.fromisoformat(timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError):
        return timestamp


def clock(timestamp: str, *, now: str) -> str:
    """Formats a timestamp as local time, without the date if it is today's."""
    text = local(timestamp)
    return text[11:] if text[:10] == local(now)[:10] else text


def localize(text: str) -> str:
    """Replaces the timestamps in a text by local times."""
    return RECORDED.sub(lambda found: local(found.group()), text)
