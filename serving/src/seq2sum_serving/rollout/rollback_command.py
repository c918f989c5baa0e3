"""The command `rollback`: ends the canary, or makes the previous version stable again.

It needs no lock and no history, and loads nothing before callers are safe. It goes on after an
error: a server, a router or a file that does not follow must not keep the others on a bad version.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from seq2sum_serving.deployment import run_state
from seq2sum_serving.deployment.errors import Exit, Moved, Refused, RolloutError, UsageError
from seq2sum_serving.deployment.event_log import Event, EventKind
from seq2sum_serving.deployment.routers.router import NO_SHARES
from seq2sum_serving.deployment.state import STABLE, Current, Desired
from seq2sum_serving.rollout import abort, planner, transitions
from seq2sum_serving.rollout.command_context import CommandContext

GIVE_SHARES = (EventKind.STEP_STARTED, EventKind.CANARY_STARTED)
"""Events from which on a candidate has a share of the traffic."""
ALL_TO_STABLE = "set weight stable = 100 %"


def rollback(context: CommandContext) -> Exit:
    """Returns all traffic to the version that was in service; the other one is taken out.

    Raises:
        Refused: There is nothing to roll back.
        Moved: A server, a router or a file was not changed.
    """
    executor, start = context.executor, time.monotonic()
    options = replace(context.options, require_history=False, allow_down_replicas=True)
    current = executor.observe()
    canary = canary_of(context, current)
    dropped = canary if canary is not None else current.stable
    desired = _desired(context, current, canary)
    if context.arguments.dry_run:
        steps = planner.plan(current, desired, allow_down_replicas=True)
        context.dry_run([ALL_TO_STABLE, *steps], exclusive=False)
        return Exit.DONE
    executor.config.check_writable()
    executor.replicas.skip(replica.target for replica in current.down if current.up)
    reason = options.reason or "by hand"
    executor.record(EventKind.ROLLED_BACK, dropped, replace(options, reason=reason))
    errors: list[str] = []
    with _collected(errors):
        executor.set_shares(NO_SHARES, options)
    with _collected(errors):
        executor.apply(desired, options)
    stable = desired.labels[STABLE]
    with _collected(errors):
        executor.verify(stable, options)
    seconds = time.monotonic() - start
    if not errors:
        context.output.update(stable=stable, rolled_back=dropped)
        context.show(
            f"version {stable} has all traffic, after {seconds:.2f} s. Version {dropped} has none, "
            "and is taken out"
        )
    with _collected(errors):
        context.placement.clear(dropped, options)
    if current.down:
        down = ", ".join(replica.target for replica in current.down)
        errors.append(
            f"{down} does not answer and was skipped: it reads the model config file when it "
            "restarts. Check it with `status`"
        )
    if errors:
        raise Moved("; ".join(errors))
    return Exit.DONE


def canary_of(context: CommandContext, current: Current) -> int | None:
    """Returns the version to take out: the canary, or that of an open run without a canary yet."""
    events = context.executor.events()
    state = run_state.open_run(events)
    found = None if state is None or state.promoted else state.version
    try:
        canary = context.placement.canary(current)
        found = found if canary is None else canary
        if found is None:
            found = _unfinished(context, current, events)
    except UsageError as error:  # the candidate group's file is not valid
        context.executor.log(f"  {error}")
        if abort.share(context.executor) != 0:
            shared = [event.version for event in events if event.kind in GIVE_SHARES]
            found = shared[-1] if shared else found
    return None if found == current.stable else found


def _unfinished(context: CommandContext, current: Current, events: Sequence[Event]) -> int | None:
    """Returns the version of a rollback that was killed, or that a server did not complete."""
    kinds = (EventKind.ROLLED_BACK, EventKind.PROMOTED, EventKind.RUN_STARTED)
    last = next((event for event in reversed(events) if event.kind in kinds), None)
    if last is None or last.kind != EventKind.ROLLED_BACK or last.version is None:
        return None
    in_use = current.in_use(last.version) or context.placement.lists(last.version)
    return last.version if in_use else None


def _desired(context: CommandContext, current: Current, canary: int | None) -> Desired:
    """Returns the state without the canary, or else with the previous version.

    Raises:
        Refused: There is neither, and the candidate has no share.
    """
    if canary is not None and canary != current.canary:  # without a label here
        desired = transitions.adopt(current)
        return replace(desired, versions=desired.versions - {canary}, at_once=True)
    try:
        return transitions.rollback(current)
    except Refused:
        if abort.share(context.executor) == 0:
            raise
        return transitions.adopt(current)


@contextmanager
def _collected(errors: list[str]) -> Iterator[None]:
    """Adds the message of a RolloutError to `errors` instead of raising it."""
    try:
        yield
    except RolloutError as error:
        errors.append(str(error))
