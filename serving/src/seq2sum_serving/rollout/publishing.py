"""Folders that become versions: under a number that nothing else has had, and without traffic."""

from __future__ import annotations

from pathlib import Path

from seq2sum_serving.rollout import disk, intents, journal
from seq2sum_serving.rollout import plan as plans
from seq2sum_serving.rollout.state import Current
from seq2sum_serving.rollout.task import Task


def held(task: Task, current: Current) -> None:
    """Sees that what appears on disk is not taken up by itself, where something serves already."""
    if intents.falls_back(current):
        task.deployment.hold(task.why)  # nothing can be adopted before another one is published
    elif current.aspired:
        task.deployment.adopt(task.why)


def begun_with(task: Task, source: Path) -> int:
    """The number of a folder that is run: that of its run under way, or the next one."""
    deployment, folder = task.deployment, str(source.resolve())
    begun = journal.published(deployment.events(), folder)
    if begun is None:
        current = deployment.observe()
        held(task, current)
        begun = next_number(task, current)
        deployment.note("publishing", begun, task.why, {"from": folder})
    if begun not in deployment.base.versions():
        deployment.base.publish(source, begun)
        deployment.tell(f"published {source} as version {begun}")
    return begun


def next_number(task: Task, current: Current) -> int:
    """The number after all that there are, that were used up, and that runs have begun with."""
    told = ("publishing", "published")
    begun = [event.version or 0 for event in task.deployment.events() if event.what in told]
    return disk.next_number([plans.unused(current) - 1, *begun])
