"""Errors of a rollout, and the exit codes that they lead to."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `seq2sum-rollout`."""

    DONE = 0
    """The command succeeded, and its effect was verified on every replica."""
    FAILED = 1
    """The command failed. Traffic did not move, or was moved back."""
    MOVED = 4
    """The command failed, and traffic is not where it was, or not known to be."""
    USAGE = 2
    """The command line, or a file that it names, is not valid; nothing was changed."""
    INCONCLUSIVE = 3
    """Too little was measured to go on: a person has to decide."""


class RolloutError(Exception):
    """Base class. The message says what is wrong, where, and what to do."""

    code = Exit.FAILED


class UsageError(RolloutError):
    """An option or a file of the operator is not valid."""

    code = Exit.USAGE


class Refused(RolloutError):
    """The change would not be safe in the current state; nothing was changed."""


class Failed(RolloutError):
    """The change was started and could not be completed."""


class Moved(Failed):
    """The change failed after it moved traffic, which was not moved back everywhere."""

    code = Exit.MOVED


class VersionFailed(Failed):
    """The version itself is at fault: its number is burned."""


class Inconclusive(RolloutError):
    """Too little was measured for a verdict."""

    code = Exit.INCONCLUSIVE
