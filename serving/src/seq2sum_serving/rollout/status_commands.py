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
from seq2sum_serving.deployment.routers.router import weights
from seq2sum_serving.deployment.state import STABLE, Current
from seq2sum_serving.rollout.command_context import CommandContext


def status(context: CommandContext) -> Exit:
    """Shows the status; FAILED if a replica differs from the model config file."""
    executor = context.executor
    current, shares = executor.observe(), weights(executor.router.read())
    candidate, error = candidate_state(context)
    shown: Any = {
        "model": executor.model,
        "weights": shares,
        "candidate": candidate,
        "candidate_error": error,
    }
    context.output.update(status_view.as_json(current, **shown))
    context.show(status_view.report(current, **shown))
    drifted = drift(current) or (candidate is not None and candidate.up and drift(candidate))
    return Exit.FAILED if drifted else Exit.DONE


def candidate_state(context: CommandContext) -> tuple[Current | None, str]:
    """Returns the state of the candidate group, and why there is none.

    Without a run it need not be up: its state is for information.
    """
    if not context.placement.is_apart:
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
        current, shares = executor.observe(), weights(executor.router.read())
        now, (candidate, error) = event_log.utc_now(), candidate_state(context)
        if arguments.json:
            values = status_view.as_json(
                current,
                model=executor.model,
                weights=shares,
                candidate=candidate,
                candidate_error=error,
            )
            print(json.dumps(values | {"time": now}), flush=True)
        resolved = executor.replicas.caller_versions(STABLE)
        return watch_view.screen(
            current,
            model=executor.model,
            weights=shares,
            events=executor.events(),
            now=now,
            probe=", ".join(f"{target}: {each.labelled}" for target, each in resolved.items()),
            candidate=candidate,
        )

    try:
        failed = watch_view.watch(
            render, interval=arguments.interval, count=arguments.count, console=context.console
        )
    except BrokenPipeError:  # the reader of the pipe has ended
        output.discard()
        return Exit.DONE
    return Exit.FAILED if failed else Exit.DONE
