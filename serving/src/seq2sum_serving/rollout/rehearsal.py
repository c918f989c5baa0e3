"""Dry runs of what judges a version: the checks that change nothing, and the steps that follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from seq2sum_serving.deployment import run_state
from seq2sum_serving.deployment.run_state import OpenRun
from seq2sum_serving.deployment.state import STABLE, Current
from seq2sum_serving.rollout import planner as plans
from seq2sum_serving.rollout import transitions
from seq2sum_serving.rollout.analysis import Inspection
from seq2sum_serving.rollout.command_context import Task
from seq2sum_serving.rollout.publishing import number_of
from seq2sum_serving.rollout.runner import Course, refuse_failed


def bring(task: Task, version: int) -> None:
    """Makes the checks of loading and judging a version by hand.

    Raises:
        RolloutError: The real verb would end with this.
    """
    current = task.deployment.observe()
    adopted = transitions.adopt(current)
    plans.plan(current, adopted)
    if not task.options.without_gates:
        stable = adopted.labels[STABLE]
        look = Inspection(task.deployment, version, stable, task.policy, task.prometheus)
        refuse_failed(look.without_changes())


def run(task: Task, number: int | None, source: Path | None) -> None:
    """Makes the checks of a run, and shows what it would do.

    Args:
        task: The verb.
        number: The version; None if a folder is to become one.
        source: That folder.

    Raises:
        RolloutError: The real run would end with this.
    """
    deployment = task.deployment
    task.check_alone()
    current, folder = deployment.observe(), None
    version = number_of(task, source) if source else number
    assert version is not None  # one of both is given
    if source and version not in current.on_disk:
        deployment.base.check(source, version)
        current, folder = replace(current, on_disk=[*current.on_disk, version]), source
    begun = run_state.open_run(deployment.events())
    if begun is None and current.stable == version:
        task.show_plan([])
        return
    course = Course(deployment, version, task.policy, task.prometheus)
    course.rehearse(current, folder)
    first = [f"publish {source} as version {version}"] if folder else []
    task.show_plan([*first, *phases(task, current, begun or OpenRun("", version))])


def phases(task: Task, current: Current, begun: OpenRun) -> list[str]:
    """Returns what is left to do of a run."""
    traffic, version = task.policy.traffic, begun.version
    stable = transitions.adopt(current).labels[STABLE]
    if begun.promoted and stable == version:
        return ["all of the traffic to stable"]
    files = [] if begun.checked else [f"look at the files of version {version}"]
    load = [
        *map(str, plans.plan(current, transitions.beside(current, version))),
        "judge it without traffic: signatures, golden, disagreement, latency, memory",
    ]
    return [
        *files,
        *([] if begun.loaded else load),
        f"label canary = {version} on every replica",
        *(
            f"{percent} % of the traffic for {traffic.bake:g} s, judged"
            for percent in traffic.steps
            if percent not in begun.completed_weights
        ),
        f"label stable = {version}, previous = {stable} on every replica",
        "all of the traffic to stable",
        f"unload all but {version} and {stable}",
    ]
