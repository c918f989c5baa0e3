"""The command `rollback`: ends the canary, or makes the previous version stable again.

It needs no lock and no history, loads nothing before callers are safe, and works while servers are
down.
"""

from __future__ import annotations

import time
from dataclasses import replace

from seq2sum_serving.deployment.errors import Exit, Moved
from seq2sum_serving.deployment.event_log import EventKind
from seq2sum_serving.deployment.routers.router import NO_SHARES
from seq2sum_serving.deployment.state import STABLE, Current, Desired
from seq2sum_serving.rollout import planner, transitions
from seq2sum_serving.rollout.command_context import CommandContext

ALL_TO_STABLE = "set weight stable = 100 %"


def rollback(context: CommandContext) -> Exit:
    """Returns all traffic to the version that was in service; the other one is taken out."""
    executor, start = context.executor, time.monotonic()
    options = replace(context.options, require_history=False, allow_down_replicas=True)
    current = executor.observe()
    canary = context.placement.canary(current)
    apart = canary is not None and current.canary is None
    desired = _without(current, canary) if apart else transitions.rollback(current)
    steps = planner.plan(current, desired, allow_down_replicas=True)
    order = [ALL_TO_STABLE, *steps] if apart else [*steps, ALL_TO_STABLE]
    if context.dry_run(order, exclusive=False):
        return Exit.DONE
    executor.config.check_writable()
    executor.replicas.skip(replica.target for replica in current.down)
    dropped = canary if canary is not None else current.stable
    reason = options.reason or "by hand"
    executor.record(EventKind.ROLLED_BACK, dropped, replace(options, reason=reason))
    if apart:
        executor.set_shares(NO_SHARES, options)
    executor.apply(desired, options)
    stable = desired.labels[STABLE]
    executor.verify(stable, options)
    seconds = time.monotonic() - start
    executor.set_shares(NO_SHARES, options)
    context.output.update(stable=stable, rolled_back=dropped)
    context.show(
        f"version {stable} has all traffic, after {seconds:.2f} s. Version {dropped} has none, "
        "and is taken out"
    )
    context.placement.clear(dropped, options)
    if current.down:
        down = ", ".join(replica.target for replica in current.down)
        raise Moved(
            f"{down} does not answer and was skipped: it reads the model config file when it "
            "restarts. Check it with `status`"
        )
    return Exit.DONE


def _without(current: Current, canary: int | None) -> Desired:
    """Returns the state without a canary of the candidate group, which may be half promoted."""
    desired = transitions.adopt(current)
    return replace(desired, versions=desired.versions - {canary}, at_once=True)
