"""The interface of routers, which give the candidate its part of the calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Shares:
    """The parts of the calls that the candidate gets, in percent."""

    candidate: float = 0.0
    """Answered by the candidate."""
    mirror: float = 0.0
    """Copied to the candidate, whose answers to the copies are thrown away."""


NO_SHARES = Shares()


class Router(Protocol):
    """Moves a part of the calls to the candidate."""

    @property
    def name(self) -> str:
        """Its name on the command line."""

    @property
    def can_mirror(self) -> bool:
        """Whether it can copy calls."""

    @property
    def moves_traffic(self) -> bool:
        """Whether shares change which version callers reach."""

    def check_writable(self) -> None:
        """Checks that shares could be written; writes nothing.

        Raises:
            Refused: The file is part of a volume that cannot be changed.
            Failed: Its folder is not writable.
        """

    def is_initialized(self) -> bool:
        """Returns whether shares were written before."""

    def read(self) -> Shares:
        """Returns the shares as last written; none if they never were.

        Raises:
            UsageError: The file is not valid.
        """

    def check_in_force(self) -> None:
        """Checks that the shares as last written are in force, without waiting.

        Raises:
            UsageError: The file is not valid.
            Failed: They are not in force everywhere.
        """

    def write(self, shares: Shares) -> None:
        """Sets the shares, and returns when they are in force.

        Raises:
            Refused: The file is part of a volume that cannot be changed.
            Failed: They could not be written, or are not in force everywhere.
        """
