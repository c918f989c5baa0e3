"""What each verb does: looks, plans, acts; a dry run stops after the plan."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import RenderableType
from seq2sum import model_versions

from seq2sum_serving.console import history as history_view
from seq2sum_serving.console import output
from seq2sum_serving.console import status as status_view
from seq2sum_serving.console import watch as watch_view
from seq2sum_serving.deployment import event_log, run_state
from seq2sum_serving.deployment.drift import drift
from seq2sum_serving.deployment.errors import Exit, Failed, Refused
from seq2sum_serving.deployment.event_log import EventKind, Verdict
from seq2sum_serving.deployment.state import STABLE, Desired
from seq2sum_serving.deployment.traffic import ALL_STABLE, canary_weights
from seq2sum_serving.gates.measurement import overall
from seq2sum_serving.rollout import planner as plans
from seq2sum_serving.rollout import rehearsal, transitions
from seq2sum_serving.rollout.analysis import Inspection
from seq2sum_serving.rollout.command_context import Task, alone
from seq2sum_serving.rollout.publishing import begun_with, held, next_number
from seq2sum_serving.rollout.runner import Course, event_of, line, refuse_failed


def status(task: Task) -> Exit:
    """Everything as it is; FAILED if a replica is not as the file of record says."""
    current, weights = task.deployment.observe(), task.deployment.traffic.read()
    model = task.deployment.model
    task.answer.update(status_view.as_json(current, model=model, weights=weights))
    task.show(status_view.status(current, model=model, weights=weights))
    return Exit.FAILED if drift(current) else Exit.DONE


def publish(task: Task) -> Exit:
    """A version folder gets the next number below the base path; it gets no traffic by that."""
    base, source = task.deployment.base, Path(task.options.folder)
    current = task.deployment.on_file()
    number = task.options.version
    if number is None:
        number = next_number(task)
    if number in current.burned:
        raise Refused(f"version {number} {current.burned[number]}. A number is never used again")
    base.check(source, number)
    if task.dry([f"copy {source} to {base.path / str(number)}, by one rename"]):
        return Exit.DONE
    with alone(task):
        if current.recorded.policy.kind != "specific":
            held(task)
        base.publish(source, number)
        task.deployment.note(EventKind.PUBLISHED, number, task.why, {"from": str(source.resolve())})
    task.answer["version"] = number
    task.show(f"published version {number}: {base.path / str(number)}")
    return Exit.DONE


def canary(task: Task) -> Exit:
    """A version is loaded, judged, and gets the label and its share of the traffic."""
    version, percent = task.options.version, task.options.percent
    current = task.deployment.observe()
    before = plans.plan(current, transitions.beside(current, version))
    judging = [] if task.options.without_gates else ["judge it without traffic"]
    steps = [*before, *judging, f"label canary = {version}", f"{percent:g} % of traffic"]
    if task.dry(steps, partial(rehearsal.bring, task, version)):
        return Exit.DONE
    with alone(task):
        bring(task, version)
        task.deployment.reach(transitions.canary(task.deployment.observe(), version), task.why)
        task.deployment.shift(canary_weights(percent), task.why)
        task.deployment.note(EventKind.CANARY_STARTED, version, task.why, {"weight": percent})
    task.show(f"version {version} is on trial with {percent:g} % of the traffic")
    return Exit.DONE


def promote(task: Task) -> Exit:
    """A version gets all of the traffic; the one before stays loaded."""
    version, current = task.options.version, task.deployment.observe()
    steps = plans.plan(current, transitions.promote(current, version))
    new = current.stable not in (None, version) and current.canary != version
    if task.dry(
        [*steps, "all traffic to stable"], *([partial(rehearsal.bring, task, version)] * new)
    ):
        return Exit.DONE
    with alone(task):
        if new:
            bring(task, version)
        task.deployment.note(EventKind.PROMOTED, version, task.why)
        task.deployment.reach(transitions.promote(task.deployment.observe(), version), task.why)
        task.deployment.shift(ALL_STABLE, task.why)
        task.deployment.verify(STABLE, version)
    task.show(f"version {version} is stable")
    return Exit.DONE


def rollback(task: Task) -> Exit:
    """The trial ends, or the version before is stable again. It waits for nobody's lock."""
    deployment, began = task.deployment, time.monotonic()
    current = deployment.observe()
    wanted = transitions.rollback(current)
    steps = plans.plan(current, wanted, down_too=True)
    deployment.insists = False
    if task.dry([*steps, "all traffic to stable"], lock=False):
        return Exit.DONE
    deployment.record.check_writable()
    left = current.canary if current.canary is not None else current.stable
    deployment.note(EventKind.ROLLED_BACK, left, task.why or "by hand")
    deployment.reach(wanted, task.why, down_too=True)
    deployment.verify(STABLE, wanted.labels[STABLE], down_too=True)
    seconds = time.monotonic() - began
    deployment.shift(ALL_STABLE, task.why)
    task.answer.update(stable=wanted.labels[STABLE], left=left, seconds=round(seconds, 3))
    task.show(
        f"version {wanted.labels[STABLE]} has all of the traffic, after {seconds:.2f} s. Version "
        f"{left} gets none; `retire {left}` unloads it"
    )
    if current.down:
        raise Failed(
            f"{', '.join(one.target for one in current.down)} does not answer and was left out: "
            "it reads the file of record when it comes back. `status` tells whether it did"
        )
    return Exit.DONE


def retire(task: Task) -> Exit:
    """A version without traffic is unloaded."""
    version, current = task.options.version, task.deployment.observe()
    wanted = transitions.retire(current, version)
    if task.dry(plans.plan(current, wanted)):
        return Exit.DONE
    with alone(task):
        task.deployment.note(EventKind.RETIRED, version, task.why)
        task.deployment.reach(wanted, task.why)
    task.show(f"version {version} is unloaded everywhere; its folder stays")
    return Exit.DONE


def repair(task: Task) -> Exit:
    """Every replica is brought to what the file of record says."""
    current = task.deployment.observe()
    wanted = Desired(current.aspired, current.recorded.labels)
    steps = plans.plan(current, wanted)
    if task.dry(steps):
        return Exit.DONE
    with alone(task):
        if steps:
            task.deployment.note(EventKind.REPAIRED, reason=task.why)
        task.deployment.reach(wanted, task.why)
    return status(task)


def run(task: Task) -> Exit:
    """The whole way of a version, or of a folder that becomes one."""
    deployment, given = task.deployment, str(task.options.what)
    number = model_versions.version_number(given)
    source = Path(given) if number is None else None
    if task.options.dry_run:
        rehearsal.run(task, number, source)
        return Exit.DONE
    with alone(task):
        version = begun_with(task, source) if source else int(given)
        task.answer["version"] = version
        open_run = run_state.open_run(deployment.events())
        if open_run is None and deployment.observe().stable == version:
            task.show(f"version {version} is stable already")
            return Exit.DONE
        Course(deployment, version, task.policy, task.prometheus, task.why).go()
    task.show(f"version {version} is stable; `rollback` goes back without a load")
    return Exit.DONE


def shown_history(task: Task) -> Exit:
    """What was done, the last lines."""
    events = task.deployment.events()[-task.options.last :]
    task.answer["events"] = history_view.as_json(events)
    task.show(history_view.history(events))
    return Exit.DONE


def watch(task: Task) -> Exit:
    """Looks again and again; with `--json`, a line for each look."""

    def look() -> RenderableType:
        deployment = task.deployment
        current, weights = deployment.observe(), deployment.traffic.read()
        if task.options.json:
            told = status_view.as_json(current, model=deployment.model, weights=weights)
            print(json.dumps(told | {"when": event_log.utc_now()}), flush=True)
        return watch_view.screen(
            current,
            model=deployment.model,
            weights=weights,
            events=deployment.events(),
            when=event_log.utc_now(),
            probe=", ".join(f"{a}: {b}" for a, b in deployment.fleet.resolve_label(STABLE).items()),
        )

    options = task.options
    try:
        failed = watch_view.watching(
            look, every=options.every, count=options.count, console=task.console
        )
    except BrokenPipeError:  # nobody looks any more
        output.discard()
        return Exit.DONE
    return Exit.FAILED if failed else Exit.DONE


def bring(task: Task, version: int) -> None:
    """Loads a version beside the stable one and judges it, unless it is to be spared that.

    Raises:
        Failed: It cannot be loaded, or a gate failed. It is unloaded again.
    """
    deployment = task.deployment
    deployment.adopt(task.why)
    stable = deployment.observe().stable
    assert stable is not None  # it was adopted
    look = Inspection(deployment, version, stable, task.policy, task.prometheus)
    gates = not task.options.without_gates
    memory = look.memory() if gates else None
    try:
        results = look.on_disk() if gates else []
        if overall(results) is not Verdict.FAILED:
            deployment.reach(transitions.beside(deployment.observe(), version), task.why)
            results += look.loaded(memory) if gates else []
        for one in results:
            deployment.tell(line(one))
        refuse_failed(results)
    except Failed as error:
        deployment.note(event_of(error, with_traffic=False), version, str(error))
        deployment.reach(transitions.retire(deployment.observe(), version), down_too=True)
        raise


VERBS: dict[str, Callable[[Task], Exit]] = {
    "status": status,
    "publish": publish,
    "canary": canary,
    "promote": promote,
    "rollback": rollback,
    "retire": retire,
    "repair": repair,
    "run": run,
    "history": shown_history,
    "watch": watch,
}
