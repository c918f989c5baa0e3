"""What a rollout can end with, as exit codes that a pipeline can use."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `seq2sum-rollout`."""

    DONE = 0
    """What was asked for holds, and was looked at on every replica."""
    FAILED = 1
    """It does not hold. Traffic is where it was, or has been taken back there."""
    USAGE = 2
    """The command line or a file that it names makes no sense; nothing was touched."""
    INCONCLUSIVE = 3
    """Nothing went wrong, and not enough was seen to go on: a person decides."""


class RolloutError(Exception):
    """The base of all: what was wrong, where, and what to do."""

    code = Exit.FAILED


class UsageError(RolloutError):
    """The operator's: an option or a file that makes no sense."""

    code = Exit.USAGE


class Refused(RolloutError):
    """It cannot be done safely from where things are; nothing was touched."""


class Failed(RolloutError):
    """It was begun and did not come to its end."""


class VersionFailed(Failed):
    """The version itself is at fault: its number is never used again."""


class Inconclusive(RolloutError):
    """Too little was seen to judge."""

    code = Exit.INCONCLUSIVE
