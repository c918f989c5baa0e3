"""Dry runs: the checks of a command that change nothing, and the steps that would follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from seq2sum_serving.deployment import run_state
from seq2sum_serving.deployment.run_state import OpenRun
from seq2sum_serving.deployment.state import STABLE, Current, Policy
from seq2sum_serving.rollout import planner, transitions
from seq2sum_serving.rollout.analysis import Analysis
from seq2sum_serving.rollout.command_context import CommandContext
from seq2sum_serving.rollout.publishing import version_for_run
from seq2sum_serving.rollout.runner import Runner
from seq2sum_serving.rollout.steps import format_step, steps
from seq2sum_serving.rollout.verdicts import raise_failed


def check_load(context: CommandContext, version: int) -> None:
    """Runs the checks of `canary` and `promote` for a new version; raises as they would."""
    current = context.executor.observe()
    adopted = transitions.adopt(current)
    planner.plan(current, adopted)
    context.placement.plan(current, version)
    if not context.arguments.without_gates:
        stable = adopted.labels[STABLE]
        analysis = Analysis(context.placement, version, stable, context.policy, context.prometheus)
        raise_failed(analysis.judge_without_changes())


def run(context: CommandContext, version: int | None, source: Path | None) -> None:
    """Runs the checks of `run`, and shows its remaining steps; raises as the command would.

    Args:
        context: Context of the command.
        version: The version; None if a folder is to be published.
        source: The folder to publish; None if a version is given.
    """
    executor = context.executor
    context.check_exclusive()
    current, folder = executor.observe(), None
    if source is not None:
        version = version_for_run(executor, source)
        if version not in current.on_disk:
            executor.store.check(source, version)
            # Before it publishes, a run lists the aspired versions by number.
            pinned = replace(current.recorded, policy=Policy("specific", current.aspired))
            on_disk = [*current.on_disk, version]
            current, folder = replace(current, recorded=pinned, on_disk=on_disk), source
    assert version is not None  # either a version or a folder is given
    state = run_state.open_run(executor.events())
    if state is None and current.stable == version:
        context.show_plan([])
        return
    runner = Runner(context.placement, version, context.policy, context.prometheus)
    runner.check(current, folder)
    publish = [f"publish {source} as version {version}"] if folder else []
    context.show_plan([*publish, *remaining_steps(context, current, state or OpenRun("", version))])


def remaining_steps(context: CommandContext, current: Current, state: OpenRun) -> list[str]:
    """Returns the remaining steps of a run as text."""
    traffic, version = context.policy.traffic, state.version
    stable = transitions.adopt(current).labels[STABLE]
    if state.promoted and stable == version:
        return ["set weight stable = 100 %"]
    files = [] if state.checked else [f"analysis of the files of version {version}"]
    load = [
        *map(str, context.placement.plan(current, version)),
        "analysis without traffic: signatures, golden, disagreement, latency, memory",
    ]
    return [
        *files,
        *([] if state.loaded else load),
        f"make version {version} the canary {context.placement.name}",
        *(
            f"{format_step(shares)} for {traffic.bake:g} s, with analysis"
            for shares in steps(context.policy, context.executor.router)
            if shares.candidate not in state.completed_weights
        ),
        f"set labels stable = {version}, previous = {stable} on every replica",
        "set weight stable = 100 %",
        f"unload all versions but {version} and {stable}",
    ]
