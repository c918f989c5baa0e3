"""Router `none`: the candidate gets no calls but those of the gates."""

from __future__ import annotations

from seq2sum_serving.deployment.errors import UsageError
from seq2sum_serving.deployment.routers.router import NO_SHARES, Shares


class NoRouter:
    """Moves no traffic."""

    name = "none"
    can_mirror = False
    moves_traffic = False

    def check_writable(self) -> None:
        """Does nothing: no file is written."""

    def is_initialized(self) -> bool:
        """Returns True: there is nothing to write."""
        return True

    def read(self) -> Shares:
        """Returns no shares."""
        return NO_SHARES

    def check_in_force(self) -> None:
        """Does nothing: no shares are ever set."""

    def write(self, shares: Shares) -> None:
        """Accepts no shares only.

        Raises:
            UsageError: Any share is above zero.
        """
        if shares != NO_SHARES:
            raise UsageError(
                "router none moves no traffic: choose another with --router, or a weight of 0"
            )
