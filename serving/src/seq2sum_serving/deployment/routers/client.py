"""Router `client`: applications split their calls by a file of weights that the SDK polls."""

from __future__ import annotations

from seq2sum_serving.deployment.errors import UsageError
from seq2sum_serving.deployment.routers.router import Shares
from seq2sum_serving.deployment.state import CANARY, STABLE
from seq2sum_serving.deployment.traffic import TrafficFile, canary_weights


class ClientRouter:
    """Writes the weights for `seq2sum.SplitFile`.

    Args:
        file: The weights.
        candidate: Where the candidate's share goes: the targets of the candidate group, or the
            label `canary` without one.
    """

    name = "client"
    can_mirror = False
    moves_traffic = True

    def __init__(self, file: TrafficFile, candidate: str = CANARY) -> None:
        self.file = file
        self.candidate = candidate

    def check_writable(self) -> None:
        """Checks that the file can be replaced; see `TrafficFile.check_writable` for its errors."""
        self.file.check_writable()

    def is_initialized(self) -> bool:
        """Returns whether the file exists."""
        return self.file.path.exists()

    def read(self) -> Shares:
        """Returns the share of everything but `stable`.

        Raises:
            UsageError: No weight is above zero, or as `TrafficFile.read`.
        """
        weights = self.file.read()
        total = sum(weights.values())
        if not total > 0:
            raise UsageError(f"invalid traffic weights {self.file.path}: none is above zero")
        return Shares(round(100 * (1 - weights.get(STABLE, 0.0) / total), 9))

    def check_in_force(self) -> None:
        """Does nothing: only the applications know when they have read the file."""

    def write(self, shares: Shares) -> None:
        """Replaces the file; see `TrafficFile.write` for its errors."""
        self.file.write(canary_weights(shares.candidate, self.candidate))
