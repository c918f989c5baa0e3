"""The commands: each observes, plans and changes; a dry run stops after the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from seq2sum import model_versions

from seq2sum_serving.deployment import run_state
from seq2sum_serving.deployment.errors import Exit, Failed, Moved, Refused, RolloutError
from seq2sum_serving.deployment.event_log import EventKind, Verdict
from seq2sum_serving.deployment.routers.router import NO_SHARES, Shares
from seq2sum_serving.deployment.state import Desired
from seq2sum_serving.gates.measurement import overall
from seq2sum_serving.rollout import (
    contract_command,
    dry_run,
    golden_commands,
    planner,
    publishing,
    rollback_command,
    status_commands,
    transitions,
)
from seq2sum_serving.rollout.abort import event_kind
from seq2sum_serving.rollout.analysis import Analysis
from seq2sum_serving.rollout.command_context import CommandContext, exclusive_lock
from seq2sum_serving.rollout.rollback_command import ALL_TO_STABLE
from seq2sum_serving.rollout.runner import Runner
from seq2sum_serving.rollout.verdicts import format_measurement, inconclusive, raise_failed


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
            publishing.prevent_takeover(context.placement, context.options)
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
    shares = Shares(weight)
    if weight and not executor.router.moves_traffic:
        raise Refused("router none moves no traffic: choose another with --router, or --weight 0")
    load = context.placement.plan(executor.observe(), version)
    analysis = [] if context.arguments.without_gates else ["analysis without traffic"]
    make_canary = f"make version {version} the canary {context.placement.name}"
    steps = [*load, *analysis, make_canary, f"set weight canary = {weight:g} %"]
    if context.dry_run(steps, partial(dry_run.check_load, context, version)):
        return Exit.DONE
    with exclusive_lock(context):
        details = {"weight": weight, **load_and_judge(context, version)}
        context.placement.start(version, options)
        with moved_if_failed(context):
            executor.set_shares(shares, options)
        executor.record(EventKind.CANARY_STARTED, version, options, details)
    context.show(f"version {version} is the canary with {weight:g} % of the traffic")
    return Exit.DONE


def promote(context: CommandContext) -> Exit:
    """Gives a version all traffic; the former stable version stays loaded."""
    executor, options = context.executor, context.options
    version, current = context.arguments.version, executor.observe()
    steps = planner.plan(current, transitions.promote(current, version))
    canary = context.placement.canary(current)
    transitions.refuse_second_canary(canary, version)
    is_new = current.stable not in (None, version) and canary != version
    if is_new and not context.arguments.without_gates:
        context.placement.plan(current, version)
    checks = [partial(dry_run.check_load, context, version)] if is_new else []
    if context.dry_run([*steps, ALL_TO_STABLE], *checks):
        return Exit.DONE
    with exclusive_lock(context):
        details = load_and_judge(context, version) if is_new else {}
        executor.record(EventKind.PROMOTED, version, options, details)
        with moved_if_failed(context):
            executor.apply(transitions.promote(executor.observe(), version), options)
            executor.set_shares(NO_SHARES, options)
            executor.verify(version)
        context.placement.clear(None, options)
    context.show(f"version {version} is stable")
    return Exit.DONE


def retire(context: CommandContext) -> Exit:
    """Unloads a version that has no traffic."""
    executor, version = context.executor, context.arguments.version
    current = executor.observe()
    if version == context.placement.canary(current):
        raise Refused(f"version {version} is the canary: end it first with `rollback`")
    desired = transitions.retire(current, version)
    if context.dry_run(planner.plan(current, desired)):
        return Exit.DONE
    with exclusive_lock(context):
        executor.record(EventKind.RETIRED, version, context.options)
        executor.apply(desired, context.options)
        context.placement.clear(version, context.options)
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
        if context.placement.canary(executor.observe_files()) is None:
            context.placement.clear(None, context.options)
    return status_commands.status(context)


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
            else publishing.publish_for_run(context.placement, source, context.options)
        )
        context.output["version"] = version
        open_run = run_state.open_run(executor.events())
        if open_run is None and executor.observe().stable == version:
            context.show(f"version {version} is already stable")
            return Exit.DONE
        placement, reason = context.placement, context.options.reason
        Runner(placement, version, context.policy, context.prometheus, reason).run()
    context.show(f"version {version} is stable; `rollback` does not have to load a version")
    return Exit.DONE


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
    analysis = Analysis(context.placement, version, stable, context.policy, context.prometheus)
    judged = not context.arguments.without_gates
    memory = analysis.memory() if judged else None
    try:
        measurements = analysis.judge_files() if judged else []
        if overall(measurements) is not Verdict.FAILED:
            if context.placement.canary(executor.observe_files()) != version:
                executor.set_shares(NO_SHARES, options)  # left from elsewhere
            if judged or context.placement.is_separate:
                context.placement.load(version, options)
            else:  # the operator's decision, also for callers without a label
                executor.apply(transitions.load(executor.observe(), version), options)
            measurements += analysis.judge_loaded(memory) if judged else []
        for measurement in measurements:
            executor.log(format_measurement(measurement))
        raise_failed(measurements)
    except Failed as error:
        kind = event_kind(error, with_traffic=False)
        executor.record(kind, version, replace(options, reason=str(error)))
        unload = replace(options, reason="", allow_down_replicas=True)
        context.placement.clear(version, unload)
        raise
    if not judged:
        return {"gates": "skipped"}
    gates = [measurement.gate for measurement in inconclusive(measurements)]
    return {"inconclusive": gates} if gates else {}


@contextmanager
def moved_if_failed(context: CommandContext) -> Iterator[None]:
    """Turns a failure after the first change of traffic into one that says so.

    Raises:
        Moved: The model config file or the shares were changed before the failure.
    """
    executor = context.executor
    before = executor.config.read(), executor.router.read()
    try:
        yield
    except RolloutError as error:
        if (executor.config.read(), executor.router.read()) == before:
            raise
        raise Moved(
            f"{error}. Traffic may have moved: `status` shows where it is, the same command "
            "continues, and `rollback` returns it"
        ) from error


COMMANDS: dict[str, Callable[[CommandContext], Exit]] = {
    "status": status_commands.status,
    "publish": publish,
    "canary": canary,
    "promote": promote,
    "rollback": rollback_command.rollback,
    "retire": retire,
    "repair": repair,
    "run": run,
    "history": status_commands.history,
    "watch": status_commands.watch,
    "golden record": golden_commands.golden_record,
    "golden check": golden_commands.golden_check,
    "contract record": contract_command.contract_record,
}
