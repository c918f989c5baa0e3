"""The commands that show the state and the history, and change nothing."""

from __future__ import annotations

import json
from typing import Any

from rich.console import RenderableType

from seq2sum_serving.console import history as history_view
from seq2sum_serving.console import output
from seq2sum_serving.console import status as status_view
from seq2sum_serving.console import watch as watch_view
from seq2sum_serving.deployment import event_log
from seq2sum_serving.deployment.drift import drift
from seq2sum_serving.deployment.errors import Exit, RolloutError
from seq2sum_serving.deployment.state import STABLE, Current
from seq2sum_serving.deployment.traffic import canary_weights
from seq2sum_serving.rollout.command_context import CommandContext


def status(context: CommandContext) -> Exit:
    """Shows the status; FAILED if a replica differs from the model config file."""
    current, shown = state(context)
    candidate = shown["candidate"]
    context.output.update(status_view.as_json(current, **shown))
    context.show(status_view.report(current, **shown))
    drifted = drift(current) or (candidate is not None and candidate.up and drift(candidate))
    return Exit.FAILED if drifted else Exit.DONE


def state(context: CommandContext) -> tuple[Current, dict[str, Any]]:
    """Returns the state of the servers that callers reach, and all else that a status shows."""
    executor = context.executor
    candidate, error = candidate_state(context)
    return executor.observe(), {
        "model": executor.model,
        "weights": canary_weights(executor.router.read().candidate),
        "candidate": candidate,
        "candidate_error": error,
    }


def candidate_state(context: CommandContext) -> tuple[Current | None, str]:
    """Returns the state of the candidate group, and why there is none.

    Without a run it need not be up: its state is for information.
    """
    if not context.placement.is_separate:
        return None, ""
    try:
        return context.placement.observe(), ""
    except RolloutError as error:
        return None, str(error)


def history(context: CommandContext) -> Exit:
    """Shows the last events of the history."""
    events = context.executor.events()[-context.arguments.last :]
    context.output["events"] = history_view.as_json(events)
    context.show(history_view.table(events))
    return Exit.DONE


def watch(context: CommandContext) -> Exit:
    """Shows the live view; with `--json`, one line for each update."""
    executor, arguments = context.executor, context.arguments

    def render() -> RenderableType:
        (current, shown), now = state(context), event_log.utc_now()
        if arguments.json:
            values = status_view.as_json(current, **shown)
            print(json.dumps(values | {"time": now}), flush=True)
        found = {one.target: one.error or one.labels.get(STABLE) for one in current.replicas}
        return watch_view.screen(
            current,
            model=shown["model"],
            weights=shown["weights"],
            events=executor.events(),
            now=now,
            probe=", ".join(f"{target}: {answer}" for target, answer in found.items()),
            candidate=shown["candidate"],
        )

    try:
        failed = watch_view.watch(
            render, interval=arguments.interval, count=arguments.count, console=context.console
        )
    except BrokenPipeError:  # the reader of the pipe has ended
        output.discard()
        return Exit.DONE
    return Exit.FAILED if failed else Exit.DONE
