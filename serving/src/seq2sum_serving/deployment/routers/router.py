"""The interface of routers, which give the candidate group its part of the calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Shares:
    """The parts of the calls that the candidate group gets, in percent."""

    candidate: float = 0.0
    """Answered by the candidate group."""
    mirror: float = 0.0
    """Copied to the candidate group; the answers to the copies are thrown away."""


class Router(Protocol):
    """Moves callers between the groups."""

    name: str
    """envoy, client or none."""
    can_mirror: bool

    def check_writable(self) -> None:
        """Checks that `write` could replace the file; writes nothing.

        Raises:
            Refused: The file is part of a volume that cannot be changed.
            Failed: The file cannot be replaced.
        """
        ...

    def read(self) -> Shares:
        """Returns the shares in the file; without a file the stable group gets everything.

        Raises:
            UsageError: The file is not valid.
        """
        ...

    def write(self, shares: Shares) -> None:
        """Replaces the file atomically, and returns when the shares are in force.

        Raises:
            Refused: The file is part of a volume that cannot be changed.
            Failed: The shares are not in force, or not everywhere; the message says where.
        """
        ...
