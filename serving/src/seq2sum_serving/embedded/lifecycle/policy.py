"""The availability-preserving policy: chooses the next action for the versions of one model.

Stateless and idempotent: snapshots in, at most one action out. It never unloads the last serving
version before another one serves, so both must fit into memory
(availability_preserving_policy.cc).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from seq2sum_serving.embedded.lifecycle.states import State


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One managed version as the policy sees it."""

    version: int
    """Its number."""
    state: State
    """Its state."""
    aspired: bool
    """Whether the source aspires it."""


class Kind(Enum):
    """The kinds of actions."""

    LOAD = auto()
    UNLOAD = auto()


@dataclass(frozen=True, slots=True)
class Action:
    """One step towards the aspired versions."""

    kind: Kind
    """Load or unload."""
    version: int
    """Number of the version."""


def next_action(snapshots: Sequence[Snapshot]) -> Action | None:
    """Returns the next action, or None if nothing can be done now.

    Unloads come before loads. A version that is no longer aspired is unloaded (the lowest
    first) only if an aspired one serves, if nothing is aspired at all, or if another
    unaspired one still serves. Loads take the newest version first.
    """
    aspired = [s for s in snapshots if s.aspired]
    leaving = [s.version for s in snapshots if not s.aspired and s.state is State.AVAILABLE]
    replaced = any(s.state is State.AVAILABLE for s in aspired)
    if leaving and (replaced or not aspired or len(leaving) > 1):
        return Action(Kind.UNLOAD, min(leaving))
    waiting = [s.version for s in aspired if s.state is State.START]
    return Action(Kind.LOAD, max(waiting)) if waiting else None
