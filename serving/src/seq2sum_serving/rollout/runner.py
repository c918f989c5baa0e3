"""The `run` command: takes one version from its files to all of the traffic.

Each phase starts from the observed state, and the history shows which phases are complete. A run
that was killed is therefore resumed by the same command. A version that fails a gate is aborted,
and its number is never reused.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seq2sum_serving.deployment import run_state
from seq2sum_serving.deployment.errors import Failed, Inconclusive, Moved, Refused, RolloutError
from seq2sum_serving.deployment.event_log import EventKind, Verdict
from seq2sum_serving.deployment.routers.router import NO_SHARES, Shares
from seq2sum_serving.deployment.run_state import OpenRun
from seq2sum_serving.deployment.state import STABLE, Current
from seq2sum_serving.gates.live import ProbeResults
from seq2sum_serving.gates.measurement import Measurement
from seq2sum_serving.gates.metric_providers.prometheus import Prometheus
from seq2sum_serving.gates.policy import GatePolicy
from seq2sum_serving.rollout import abort, planner, run_start, transitions
from seq2sum_serving.rollout.analysis import Analysis
from seq2sum_serving.rollout.change_options import ChangeOptions
from seq2sum_serving.rollout.executor import Executor
from seq2sum_serving.rollout.placement import Placement
from seq2sum_serving.rollout.steps import format_step, steps
from seq2sum_serving.rollout.verdicts import format_measurement, raise_failed_or_inconclusive
from seq2sum_serving.rollout.wait_conditions import not_available

LOG_INTERVAL = 10.0
"""Seconds between two log lines during a step."""


class CanaryEnded(Failed):
    """Another command ended the run or its canary."""


@dataclass(slots=True)
class Runner:
    """One run of one version."""

    placement: Placement
    version: int
    policy: GatePolicy
    prometheus: Prometheus | None = None
    reason: str = ""
    _options: ChangeOptions = field(default=ChangeOptions(), init=False)
    _first_traffic: float | None = field(default=None, init=False)
    """When this process started the first step."""

    @property
    def executor(self) -> Executor:
        """The servers that callers reach."""
        return self.placement.stable

    def run(self) -> None:
        """Runs all remaining phases.

        Raises:
            Refused: The run cannot start.
            Failed: A gate failed, or a replica did not reach the desired state; the run was
                aborted.
            Moved: The version has a share of the traffic, because the run stopped or its abort
                failed.
            Inconclusive: Too little was measured; a person decides.
        """
        before = abort.share(self.executor)
        try:
            self._run()
        except (Moved, Inconclusive):
            raise
        except RolloutError as error:
            if abort.share(self.executor) in (0.0, before):
                raise
            raise Moved(
                f"{error}. Version {self.version} may still have a share of the traffic: "
                "`rollback` ends it"
            ) from error

    def _run(self) -> None:
        state = run_start.start(self.placement, self.version, self.reason)
        self._options = ChangeOptions(self.reason, state.run)
        if state.failure:
            error = Failed(state.failure)
            self._abort(error, resumed=True)
            raise error
        try:
            self._run_phases(state)
        except CanaryEnded as error:
            self._record(EventKind.RUN_ENDED, str(error), outcome=Verdict.FAILED)
            self._clean_up()
            raise
        except Inconclusive as error:
            self._record(EventKind.RUN_ENDED, str(error), outcome=Verdict.INCONCLUSIVE)
            raise
        except Failed as error:
            self._abort(error)
            raise
        except RolloutError as error:  # refused, or an invalid file: nothing was changed
            raise type(error)(
                f"{error}. The run of version {self.version} has not ended: "
                f"`run {self.version}` resumes it"
            ) from error
        self._record(EventKind.RUN_ENDED, outcome=Verdict.SUCCESSFUL)

    def check(self, current: Current, folder: Path | None = None) -> None:
        """Runs those checks of a run that change nothing.

        Args:
            current: The current state; with `folder`, as if the version were already on disk.
            folder: The version's files, if they are not below the base path yet.

        Raises:
            RolloutError: The run would end with this error.
        """
        state = run_start.open_run(self.placement, self.version, current)
        if state is not None and state.failure:
            raise Failed(state.failure)
        adopted = transitions.adopt(current)
        planner.plan(current, adopted)
        if state is not None and state.promoted and current.stable == self.version:
            return
        self._raise_failed_load(current)
        if state is None or not state.loaded:
            analysis = self._analysis(adopted.labels[STABLE], folder)
            raise_failed_or_inconclusive(analysis.judge_without_changes())

    def _analysis(self, stable: int, folder: Path | None = None) -> Analysis:
        return Analysis(
            self.placement, self.version, stable, self.policy, self.prometheus, folder=folder
        )

    def _run_phases(self, state: OpenRun) -> None:
        executor, version = self.executor, self.version
        executor.adopt(self._options)
        current = executor.observe()
        if current.stable is None:
            raise Refused("no version is stable: make one stable with `promote V`")
        if state.promoted and current.stable == version:
            self._move_labels()
            return
        for group in (current, self.placement.observe()):
            self._raise_failed_load(group)  # a killed run may have missed it
        analysis = self._analysis(current.stable)
        if not state.checked:
            executor.log(f"version {version}: analysis of its files")
            self._record_measurements(analysis.judge_files())
            self._record(EventKind.FILES_PASSED)
        if not state.loaded:
            executor.set_shares(NO_SHARES, self._options)  # an earlier command may have set some
            memory = analysis.memory()
            self._require_open()
            executor.log(
                f"version {version}: loading it {self.placement.name}, alongside version "
                f"{current.stable}"
            )
            self.placement.load(version, self._options)
            self._require_open()
            executor.log(f"version {version}: analysis without traffic")
            self._record_measurements(analysis.judge_loaded(memory))
            self._record(EventKind.ANALYSIS_PASSED)
        self._require_open()
        self.placement.start(version, self._options)
        for shares in steps(self.policy, executor.router):
            if shares.candidate not in state.completed_weights:
                self._run_step(analysis, shares)
        self._promote()

    def _raise_failed_load(self, current: Current) -> None:
        for replica in current.replicas:
            not_available(replica, (self.version,))

    def _run_step(self, analysis: Analysis, shares: Shares) -> None:
        seconds, weight = self.policy.traffic.bake, shares.candidate
        self.executor.set_shares(shares, self._options)
        details: dict[str, Any] = {"weight": weight, "seconds": seconds}
        details |= {"mirror": shares.mirror} if shares.mirror else {}
        self._record(EventKind.STEP_STARTED, **details)
        self.executor.log(f"version {self.version}: {format_step(shares)}, {seconds:g} s")
        start = logged = time.monotonic()

        def log_results(results: ProbeResults) -> None:
            nonlocal logged
            if time.monotonic() - logged >= LOG_INTERVAL:
                logged = time.monotonic()
                self.executor.log(f"  {logged - start:.0f} of {seconds:g} s: {results}")

        self._first_traffic = start if self._first_traffic is None else self._first_traffic
        measurements = analysis.judge_step(
            seconds,
            lambda: not self._is_canary(),
            log_results,
            since_first_traffic=start - self._first_traffic,
        )
        self._require_canary()
        self._record_measurements(measurements)
        self._record(EventKind.STEP_COMPLETED, weight=weight)

    def _promote(self) -> None:
        """Gives the version all traffic; the former stable version stays loaded."""
        self.executor.log(f"version {self.version}: promoting it")
        self._require_canary()
        self._record(EventKind.PROMOTED, self.reason)
        self._move_labels()

    def _move_labels(self) -> None:
        desired = transitions.promote(self.executor.observe(), self.version)
        self.executor.apply(desired, self._options)
        self.executor.set_shares(NO_SHARES, self._options)
        self.executor.verify(self.version)
        self.placement.clear(None, self._options)

    def _record_measurements(self, measurements: Sequence[Measurement]) -> None:
        """Records measurements, and raises if the version did not pass."""
        for measurement in measurements:
            self.executor.log(format_measurement(measurement))
            details: dict[str, Any] = {
                **measurement.values,
                "gate": measurement.gate,
                "verdict": str(measurement.verdict),
                "message": measurement.message,
            }
            self._record(EventKind.MEASUREMENT, **details)
        self._require_success(measurements)

    def _require_success(self, measurements: Sequence[Measurement]) -> None:
        """Raises VersionFailed or Inconclusive unless all gates passed."""
        version, end = self.version, run_start.ending_command(self.placement, self.version)
        advice = (
            f"Version {version} stays where it is: `run {version}` judges it again, "
            f"`promote {version}` overrides the gates, and {end} ends the run"
        )
        raise_failed_or_inconclusive(measurements, advice)

    def _abort(self, cause: Failed, *, resumed: bool = False) -> None:
        """Returns all traffic to the stable version, and unloads this one.

        Raises:
            Failed: The abort failed, too, and the version has no traffic.
            Moved: The abort failed, too, and the version may have traffic.
        """
        executor, version = self.executor, self.version
        executor.log(f"version {version}: aborting the run")
        reason = f"the run of version {version} is aborted"
        self._options = options = ChangeOptions(
            reason, self._options.run, require_history=False, allow_down_replicas=True
        )
        with_traffic = True
        try:
            current = executor.observe()
            if current.up:
                executor.replicas.skip(replica.target for replica in current.down)
            with_traffic = abort.has_traffic(executor, current, version)
            if not resumed:
                self._record(abort.event_kind(cause, with_traffic=with_traffic), str(cause))
            stable = abort.abort_version(self.placement, current, version, options)
            self._record(EventKind.RUN_ENDED, outcome=Verdict.FAILED)
        except RolloutError as error:
            if not with_traffic:
                raise Failed(f"{cause}. The abort failed, too: {error}") from error
            raise Moved(
                f"{cause}. The abort failed, too, and version {version} may have traffic: {error}"
            ) from error
        executor.log(f"version {stable} has all traffic")

    def _is_canary(self) -> bool:
        return self.placement.canary(self.executor.observe_files()) == self.version

    def _require_canary(self) -> None:
        self._require_open()
        if not self._is_canary():
            raise CanaryEnded(
                f"version {self.version} is no longer the canary: somebody else ended it; "
                "`history` shows by whom"
            )

    def _require_open(self) -> None:
        """Raises CanaryEnded if another command has ended the run."""
        state = run_state.open_run(self.executor.events())
        if state is None or state.run != self._options.run:
            raise CanaryEnded(
                f"the run of version {self.version} is over: somebody else ended it; `history` "
                "shows by whom"
            )

    def _clean_up(self) -> None:
        """Removes shares and a canary that this run may have set after another command ended it."""
        options = replace(self._options, require_history=False, allow_down_replicas=True)
        if self.executor.observe_files().stable != self.version:
            self.executor.set_shares(NO_SHARES, options)
            self.placement.clear(self.version, options)

    def _record(self, kind: EventKind, reason: str = "", **details: object) -> None:
        self.executor.record(kind, self.version, replace(self._options, reason=reason), details)
