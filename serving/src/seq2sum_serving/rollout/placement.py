"""The servers on which a version is judged: those that callers reach, or separate ones."""

from __future__ import annotations

from typing import Protocol

from seq2sum_serving.deployment.replicas import Replicas
from seq2sum_serving.deployment.state import Current
from seq2sum_serving.rollout.change_options import ChangeOptions
from seq2sum_serving.rollout.executor import Executor
from seq2sum_serving.rollout.planner import Step


class Placement(Protocol):
    """The servers on which a version is judged, next to the stable one."""

    stable: Executor
    """The servers that callers reach."""

    @property
    def name(self) -> str:
        """The place, for messages: `in place`."""

    @property
    def is_separate(self) -> bool:
        """Whether these servers are separate from those that callers reach."""

    @property
    def replicas(self) -> Replicas:
        """The servers that serve the version and the stable one."""

    def observe(self) -> Current:
        """Returns the state of these servers; raises as `Executor.observe`."""

    def pin_versions(self, options: ChangeOptions) -> None:
        """Lists versions by number in further files, so that a new folder changes nothing."""

    def plan(self, current: Current, version: int) -> tuple[Step, ...]:
        """Returns the steps that load a version.

        Args:
            current: The state of the servers that callers reach.
            version: The version.

        Raises:
            Refused: It must not be loaded here; the message says why, and what to do.
        """

    def load(self, version: int, options: ChangeOptions) -> None:
        """Loads a version, without traffic.

        Raises:
            Refused: As `plan`.
            Failed: It cannot be loaded.
        """

    def start(self, version: int, options: ChangeOptions) -> None:
        """Makes a loaded version the one that gets shares of the traffic; raises as `load`."""

    def canary(self, current: Current) -> int | None:
        """Returns the version that is being judged with traffic, or may get it; None without one.

        Args:
            current: The state of the servers that callers reach, or of their files.
        """

    def lists(self, version: int) -> bool:
        """Returns whether a further file lists the version, so that `clear` has something to do.

        Raises:
            UsageError: The file is not valid.
        """

    def clear(self, version: int | None, options: ChangeOptions) -> None:
        """Unloads what is not in service, once no caller is sent here.

        Args:
            version: The version that was judged; None if there was none.
            options: Options of the change.

        Raises:
            Failed: A server that callers reach is not in the desired state.
        """
