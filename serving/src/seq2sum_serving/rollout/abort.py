"""Aborts a version: returns its traffic to the stable version, and unloads it."""

from __future__ import annotations

from seq2sum_serving.deployment.errors import Failed, UsageError, VersionFailed
from seq2sum_serving.deployment.event_log import EventKind
from seq2sum_serving.deployment.routers.router import NO_SHARES
from seq2sum_serving.deployment.state import STABLE, Current
from seq2sum_serving.rollout import transitions
from seq2sum_serving.rollout.change_options import ChangeOptions
from seq2sum_serving.rollout.executor import Executor
from seq2sum_serving.rollout.placement import Placement


def has_traffic(executor: Executor, current: Current, version: int) -> bool:
    """Returns whether callers may reach a candidate.

    Args:
        executor: The servers that callers reach.
        current: Their state.
        version: The candidate.
    """
    return version in (current.canary, current.stable) or share(executor) != 0


def share(executor: Executor) -> float | None:
    """Returns the candidate's share by the router's file, in percent; None if that is not valid."""
    try:
        return executor.router.read().candidate
    except UsageError:
        return None


def abort_version(
    placement: Placement, current: Current, version: int, options: ChangeOptions
) -> int:
    """Sends all traffic to the stable version, and unloads the candidate.

    Args:
        placement: The servers that judge the candidate.
        current: The state of the servers that callers reach.
        version: The candidate, or a version whose promotion was not completed.
        options: Options of the changes.

    Returns:
        The stable version.

    Raises:
        RolloutError: A server that callers reach is not in the desired state.
    """
    executor = placement.stable
    if version in (current.canary, current.stable):
        executor.apply(transitions.rollback(executor.observe()), options)
    executor.set_shares(NO_SHARES, options)
    placement.clear(version, options)
    stable = transitions.adopt(executor.observe()).labels[STABLE]
    executor.verify(stable, options)
    return stable


def event_kind(cause: Failed, *, with_traffic: bool) -> EventKind:
    """Returns the event that ends a run; only a version that is at fault is burned by it."""
    if not isinstance(cause, VersionFailed):
        return EventKind.ABORTED
    return EventKind.ROLLED_BACK if with_traffic else EventKind.FAILED
