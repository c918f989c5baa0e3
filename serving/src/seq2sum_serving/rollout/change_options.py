"""Options of a change, and its limits in time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Limits and pauses, in seconds."""

    load_timeout: float = 600.0
    """Until a version is AVAILABLE, or unloaded, on every replica."""
    settle: float = 3.0
    """For clients to notice new labels or weights."""


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """Reason and requirements of a change."""

    reason: str = ""
    """The operator's words, or the cause."""
    run: str = ""
    """Identifier of the run that the change is part of; empty for other commands."""
    require_history: bool = True
    """Change nothing that the history cannot record."""
    allow_down_replicas: bool = False
    """Go on although a replica is down."""


DEFAULT_TIMING = Timing()
DEFAULTS = ChangeOptions()
