"""Starts a run, or finds the one to resume."""

from __future__ import annotations

import uuid

from seq2sum_serving.deployment import run_state
from seq2sum_serving.deployment.errors import Refused
from seq2sum_serving.deployment.event_log import EventKind
from seq2sum_serving.deployment.run_state import OpenRun
from seq2sum_serving.deployment.state import Current
from seq2sum_serving.rollout import planner
from seq2sum_serving.rollout.change_options import ChangeOptions
from seq2sum_serving.rollout.placement import Placement


def start(placement: Placement, version: int, reason: str) -> OpenRun:
    """Resumes the open run of a version, or starts one.

    Args:
        placement: The servers that judge the version.
        version: The version.
        reason: The operator's words, for the history.

    Raises:
        Refused: Neither is possible.
    """
    executor = placement.stable
    state = open_run(placement, version)
    if state is not None:
        executor.log(f"resuming the run of version {version}: {state.progress}")
        return state
    options = ChangeOptions(reason, uuid.uuid4().hex[:8])
    details = {"placement": placement.name, "router": executor.router.name}
    executor.record(EventKind.RUN_STARTED, version, options, details)
    return OpenRun(options.run, version)


def open_run(placement: Placement, version: int, current: Current | None = None) -> OpenRun | None:
    """Returns the run to resume; None if one may start.

    Args:
        placement: The servers that judge the version.
        version: The version.
        current: The state of the servers that callers reach; None to observe it.

    Raises:
        Refused: Neither is possible.
    """
    executor = placement.stable
    state = run_state.open_run(executor.events())
    if state is not None and state.version != version:
        raise Refused(
            f"the run of version {state.version} has not ended: `run {state.version}` resumes "
            f"it, and {ending_command(placement, state.version)} ends it"
        )
    if state is not None:
        _refuse_other_options(state, placement)
        return state
    current = current or executor.observe()
    if burned := current.burned.get(version):
        loaded = ""
        if current.available_everywhere(version):
            loaded = f", or override with `promote {version}`: it is still loaded"
        raise Refused(
            f"version {version} {burned}. Version numbers are never reused: publish the "
            f"fixed model as version {planner.next_version(current)}{loaded}"
        )
    placement.plan(current, version)  # raises if refused
    return None


def ending_command(placement: Placement, version: int) -> str:
    """Returns the command that ends a run."""
    canary = placement.canary(placement.stable.observe_files())
    return "`rollback`" if canary == version else f"`retire {version}`"


def _refuse_other_options(state: OpenRun, placement: Placement) -> None:
    """Raises Refused if the run started on other servers, or with another router."""
    router = placement.stable.router.name
    if state.placement not in ("", placement.name) or state.router not in ("", router):
        raise Refused(
            f"the run of version {state.version} started {state.placement}, with router "
            f"{state.router}: resume it with the same options (--candidate-targets, --router)"
        )
