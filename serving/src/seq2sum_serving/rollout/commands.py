"""The commands: each observes, plans and changes; a dry run stops after the plan."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
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
from seq2sum_serving.rollout import (
    contract_command,
    dry_run,
    golden_commands,
    planner,
    publishing,
    transitions,
)
from seq2sum_serving.rollout.analysis import Analysis
from seq2sum_serving.rollout.command_context import CommandContext, exclusive_lock
from seq2sum_serving.rollout.runner import Runner, event_kind
from seq2sum_serving.rollout.verdicts import format_measurement, inconclusive, raise_failed

ALL_TO_STABLE = "set weight stable = 100 %"


def status(context: CommandContext) -> Exit:
    """Shows the status; FAILED if a replica differs from the model config file."""
    executor = context.executor
    current, weights = executor.observe(), executor.traffic.read()
    context.output.update(status_view.as_json(current, model=executor.model, weights=weights))
    context.show(status_view.report(current, model=executor.model, weights=weights))
    return Exit.FAILED if drift(current) else Exit.DONE


def publish(context: CommandContext) -> Exit:
    """Copies a version folder to the next number below the base path, without traffic."""
    executor, source = context.executor, Path(context.arguments.folder)
    store, version = executor.store, context.arguments.version
    current = executor.observe_files()
    if version is None:
        version = publishing.next_version(executor)
    if version in current.burned:
        raise Refused(
            f"version {version} {current.burned[version]}. Version numbers are never reused"
        )
    store.check(source, version)
    if context.dry_run([f"copy {source} to {store.path / str(version)} and rename it"]):
        return Exit.DONE
    with exclusive_lock(context):
        if current.recorded.policy.kind != "specific":
            publishing.prevent_takeover(executor, context.options)
        store.publish(source, version)
        folder = {"from": str(source.resolve())}
        executor.record(EventKind.PUBLISHED, version, context.options, folder)
    context.output["version"] = version
    context.show(f"published version {version}: {store.path / str(version)}")
    return Exit.DONE


def canary(context: CommandContext) -> Exit:
    """Loads and judges a version, labels it `canary`, and sets its weight."""
    executor, options = context.executor, context.options
    version, weight = context.arguments.version, context.arguments.weight
    current = executor.observe()
    load = planner.plan(current, transitions.load(current, version))
    analysis = [] if context.arguments.without_gates else ["analysis without traffic"]
    steps = [*load, *analysis, f"set label canary = {version}", f"set weight canary = {weight:g} %"]
    if context.dry_run(steps, partial(dry_run.check_load, context, version)):
        return Exit.DONE
    with exclusive_lock(context):
        details = {"weight": weight, **load_and_judge(context, version)}
        executor.apply(transitions.start_canary(executor.observe(), version), options)
        executor.set_weights(canary_weights(weight), options)
        executor.record(EventKind.CANARY_STARTED, version, options, details)
    context.show(f"version {version} is the canary with {weight:g} % of the traffic")
    return Exit.DONE


def promote(context: CommandContext) -> Exit:
    """Gives a version all traffic; the former stable version stays loaded."""
    executor, options = context.executor, context.options
    version, current = context.arguments.version, executor.observe()
    steps = planner.plan(current, transitions.promote(current, version))
    is_new = current.stable not in (None, version) and current.canary != version
    checks = [partial(dry_run.check_load, context, version)] if is_new else []
    if context.dry_run([*steps, ALL_TO_STABLE], *checks):
        return Exit.DONE
    with exclusive_lock(context):
        details = load_and_judge(context, version) if is_new else {}
        executor.record(EventKind.PROMOTED, version, options, details)
        executor.apply(transitions.promote(executor.observe(), version), options)
        executor.set_weights(ALL_STABLE, options)
        executor.verify(STABLE, version)
    context.show(f"version {version} is stable")
    return Exit.DONE


def rollback(context: CommandContext) -> Exit:
    """Ends the canary, or makes the previous version stable again; needs no lock."""
    executor, start = context.executor, time.monotonic()
    options = replace(context.options, require_history=False, allow_down_replicas=True)
    current = executor.observe()
    desired = transitions.rollback(current)
    steps = planner.plan(current, desired, allow_down_replicas=True)
    if context.dry_run([*steps, ALL_TO_STABLE], exclusive=False):
        return Exit.DONE
    executor.config.check_writable()
    executor.replicas.skip(replica.target for replica in current.down)
    dropped = current.canary if current.canary is not None else current.stable
    reason = options.reason or "by hand"
    executor.record(EventKind.ROLLED_BACK, dropped, replace(options, reason=reason))
    executor.apply(desired, options)
    stable = desired.labels[STABLE]
    executor.verify(STABLE, stable, options)
    seconds = time.monotonic() - start
    executor.set_weights(ALL_STABLE, options)
    context.output.update(stable=stable, rolled_back=dropped)
    context.show(
        f"version {stable} has all traffic, after {seconds:.2f} s. Version {dropped} has none; "
        f"`retire {dropped}` unloads it"
    )
    if current.down:
        down = ", ".join(replica.target for replica in current.down)
        raise Failed(
            f"{down} does not answer and was skipped: it reads the model config file when it "
            "restarts. Check it with `status`"
        )
    return Exit.DONE


def retire(context: CommandContext) -> Exit:
    """Unloads a version that has no traffic."""
    executor, version = context.executor, context.arguments.version
    current = executor.observe()
    desired = transitions.retire(current, version)
    if context.dry_run(planner.plan(current, desired)):
        return Exit.DONE
    with exclusive_lock(context):
        executor.record(EventKind.RETIRED, version, context.options)
        executor.apply(desired, context.options)
    context.show(f"version {version} is unloaded on every replica; its folder remains")
    return Exit.DONE


def repair(context: CommandContext) -> Exit:
    """Brings every replica to the state in the model config file."""
    executor = context.executor
    current = executor.observe()
    desired = Desired(current.aspired, current.recorded.labels)
    steps = planner.plan(current, desired)
    if context.dry_run(steps):
        return Exit.DONE
    with exclusive_lock(context):
        if steps:
            executor.record(EventKind.REPAIRED, options=context.options)
        executor.apply(desired, context.options)
    return status(context)


def run(context: CommandContext) -> Exit:
    """Runs all phases for a version, or for a folder that is published first."""
    executor, given = context.executor, str(context.arguments.version_or_folder)
    number = model_versions.version_number(given)
    source = Path(given) if number is None else None
    if context.arguments.dry_run:
        dry_run.run(context, number, source)
        return Exit.DONE
    with exclusive_lock(context):
        version = (
            int(given)
            if source is None
            else publishing.publish_for_run(executor, source, context.options)
        )
        context.output["version"] = version
        open_run = run_state.open_run(executor.events())
        if open_run is None and executor.observe().stable == version:
            context.show(f"version {version} is already stable")
            return Exit.DONE
        Runner(executor, version, context.policy, context.prometheus, context.options.reason).run()
    context.show(f"version {version} is stable; `rollback` does not have to load a version")
    return Exit.DONE


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
        current, weights = executor.observe(), executor.traffic.read()
        now = event_log.utc_now()
        if arguments.json:
            values = status_view.as_json(current, model=executor.model, weights=weights)
            print(json.dumps(values | {"time": now}), flush=True)
        resolved = executor.replicas.resolve_label(STABLE)
        return watch_view.screen(
            current,
            model=executor.model,
            weights=weights,
            events=executor.events(),
            now=now,
            probe=", ".join(f"{target}: {found}" for target, found in resolved.items()),
        )

    try:
        failed = watch_view.watch(
            render, interval=arguments.interval, count=arguments.count, console=context.console
        )
    except BrokenPipeError:  # the reader of the pipe has ended
        output.discard()
        return Exit.DONE
    return Exit.FAILED if failed else Exit.DONE


def load_and_judge(context: CommandContext, version: int) -> dict[str, str | list[str]]:
    """Loads a version alongside the stable one and judges it, unless gates are skipped.

    Returns:
        Details for the history: that gates were skipped, or which of them were inconclusive.

    Raises:
        Failed: It cannot be loaded, or a gate failed. It was unloaded again.
    """
    executor, options = context.executor, context.options
    executor.adopt(options)
    stable = executor.observe().stable
    assert stable is not None  # `adopt` sets it
    analysis = Analysis(executor, version, stable, context.policy, context.prometheus)
    judged = not context.arguments.without_gates
    memory = analysis.memory() if judged else None
    try:
        measurements = analysis.judge_files() if judged else []
        if overall(measurements) is not Verdict.FAILED:
            executor.apply(transitions.load(executor.observe(), version), options)
            measurements += analysis.judge_loaded(memory) if judged else []
        for measurement in measurements:
            executor.log(format_measurement(measurement))
        raise_failed(measurements)
    except Failed as error:
        kind = event_kind(error, with_traffic=False)
        executor.record(kind, version, replace(options, reason=str(error)))
        unload = replace(options, reason="", allow_down_replicas=True)
        executor.apply(transitions.retire(executor.observe(), version), unload)
        raise
    if not judged:
        return {"gates": "skipped"}
    gates = [measurement.gate for measurement in inconclusive(measurements)]
    return {"inconclusive": gates} if gates else {}


COMMANDS: dict[str, Callable[[CommandContext], Exit]] = {
    "status": status,
    "publish": publish,
    "canary": canary,
    "promote": promote,
    "rollback": rollback,
    "retire": retire,
    "repair": repair,
    "run": run,
    "history": history,
    "watch": watch,
    "golden record": golden_commands.golden_record,
    "golden check": golden_commands.golden_check,
    "contract record": contract_command.contract_record,
}
