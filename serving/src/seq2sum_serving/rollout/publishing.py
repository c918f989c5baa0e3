"""Publishes folders as versions, under unused numbers and without traffic."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from seq2sum_serving.deployment import model_store, run_state
from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import EventKind
from seq2sum_serving.rollout import planner, transitions
from seq2sum_serving.rollout.change_options import ChangeOptions
from seq2sum_serving.rollout.executor import Executor
from seq2sum_serving.rollout.placement import Placement


def prevent_takeover(placement: Placement, options: ChangeOptions) -> None:
    """Prevents servers that already serve a version from loading a new folder by themselves.

    Adopts the model if all replicas are up; otherwise only pins the versions in the file.
    """
    executor = placement.stable
    placement.pin_versions(options)
    current = executor.observe_files()
    if transitions.is_adopted(current) or not current.aspired:
        return
    with suppress(Failed):  # the replicas' name does not resolve
        current = executor.observe()
    if current.up and not current.down and not transitions.is_fallen_back(current):
        executor.adopt(options)
    else:
        executor.pin_versions(options)


def publish_for_run(placement: Placement, source: Path, options: ChangeOptions) -> int:
    """Publishes a folder for its run, unless a killed run has done so; returns its number."""
    executor = placement.stable
    folder, version = str(source.resolve()), version_for_run(executor, source)
    if run_state.unfinished_publish(executor.events(), folder) is None:
        executor.store.check(source, version)
        prevent_takeover(placement, options)
        executor.record(EventKind.PUBLISH_STARTED, version, options, {"from": folder})
    if version not in executor.store.versions():
        executor.store.publish(source, version)
        executor.log(f"published {source} as version {version}")
    return version


def version_for_run(executor: Executor, source: Path) -> int:
    """Returns the version number of a folder's unfinished run, or else the next unused one."""
    started = run_state.unfinished_publish(executor.events(), str(source.resolve()))
    return next_version(executor) if started is None else started


def next_version(executor: Executor) -> int:
    """Returns the number after all on disk, all burned, and all that runs have reserved."""
    kinds = (EventKind.PUBLISH_STARTED, EventKind.PUBLISHED)
    reserved = [event.version or 0 for event in executor.events() if event.kind in kinds]
    unused = planner.next_version(executor.observe_files())
    return model_store.next_version([unused - 1, *reserved])
