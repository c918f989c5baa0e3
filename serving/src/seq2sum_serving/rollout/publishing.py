"""Folders that become versions: under a number that nothing else has had, and without traffic."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from seq2sum_serving.deployment import model_store, run_state
from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import EventKind
from seq2sum_serving.rollout import planner as plans
from seq2sum_serving.rollout import transitions
from seq2sum_serving.rollout.command_context import Task


def held(task: Task) -> None:
    """Makes sure that no server takes up a new folder by itself, where something serves already.

    Replicas that answer are waited for; if one does not, the file has to do.
    """
    deployment, current = task.deployment, task.deployment.on_file()
    if transitions.adopted(current) or not current.aspired:
        return
    with suppress(Failed):  # their name does not resolve
        current = deployment.observe()
    if current.up and not current.down and not transitions.falls_back(current):
        deployment.adopt(task.why)
    else:  # nothing can be adopted before another one is published
        deployment.hold(task.why)


def begun_with(task: Task, source: Path) -> int:
    """The number of a folder that is run: that of its run under way, or the next one."""
    deployment, folder = task.deployment, str(source.resolve())
    begun = number_of(task, source)
    if run_state.unfinished_publish(deployment.events(), folder) is None:
        deployment.base.check(source, begun)
        held(task)
        deployment.note(EventKind.PUBLISH_STARTED, begun, task.why, {"from": folder})
    if begun not in deployment.base.versions():
        deployment.base.publish(source, begun)
        deployment.tell(f"published {source} as version {begun}")
    return begun


def number_of(task: Task, source: Path) -> int:
    """Returns the number of a folder that is run: that of its run under way, or the next one."""
    begun = run_state.unfinished_publish(task.deployment.events(), str(source.resolve()))
    return next_number(task) if begun is None else begun


def next_number(task: Task) -> int:
    """The number after all that there are, that were used up, and that runs have begun with."""
    current = task.deployment.on_file()
    told = (EventKind.PUBLISH_STARTED, EventKind.PUBLISHED)
    begun = [event.version or 0 for event in task.deployment.events() if event.kind in told]
    return model_store.next_version([plans.unused(current) - 1, *begun])
