"""`run V`: the whole way of a version, from its folder to all of the traffic.

Each phase looks at where things are and brings them on, so a run that was killed goes on where it
was: the history tells which phases are behind it. What a gate fails is taken back, and the number
is never used again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seq2sum_serving.deployment import run_state
from seq2sum_serving.deployment.errors import (
    Failed,
    Inconclusive,
    Refused,
    RolloutError,
    VersionFailed,
)
from seq2sum_serving.deployment.event_log import EventKind, Verdict
from seq2sum_serving.deployment.run_state import OpenRun
from seq2sum_serving.deployment.state import CANARY, STABLE, Current
from seq2sum_serving.deployment.traffic import ALL_STABLE, canary_weights
from seq2sum_serving.gates.live import ProbeResults
from seq2sum_serving.gates.measurement import Measurement, overall
from seq2sum_serving.gates.metric_providers.prometheus import Prometheus
from seq2sum_serving.gates.policy import GatePolicy
from seq2sum_serving.rollout import planner as plans
from seq2sum_serving.rollout import transitions
from seq2sum_serving.rollout.analysis import Inspection
from seq2sum_serving.rollout.executor import Deployment
from seq2sum_serving.rollout.waiting import unavailable


class Interrupted(Failed):
    """Somebody else took the trial into their hands."""


@dataclass(slots=True)
class Course:
    """One run of one version."""

    deployment: Deployment
    version: int
    policy: GatePolicy
    prometheus: Prometheus | None = None
    why: str = ""
    _first_traffic: float | None = field(default=None, init=False)
    """When this run began to bake."""

    def go(self) -> None:
        """Goes the whole way, from wherever it is.

        Raises:
            Refused: It cannot begin.
            Failed: A gate failed, or a replica did not follow; traffic is where it was.
            Inconclusive: Too little was seen; a person decides.
        """
        begun = self._begin()
        if begun.failure:
            error = Failed(begun.failure)
            self._take_back(error, again=True)
            raise error
        try:
            self._phases(begun)
        except Inconclusive as error:
            self._note(EventKind.RUN_ENDED, str(error), outcome=Verdict.INCONCLUSIVE)
            raise
        except Interrupted as error:
            self._note(EventKind.RUN_ENDED, str(error), outcome=Verdict.FAILED)
            raise
        except Failed as error:
            self._take_back(error)
            raise
        except RolloutError as error:  # refused, or a file makes no sense: nothing was touched
            raise type(error)(
                f"{error}. The run of version {self.version} has not ended and stays where it is: "
                f"`run {self.version}` goes on with it"
            ) from error
        self._note(EventKind.RUN_ENDED, outcome=Verdict.SUCCESSFUL)

    def rehearse(self, current: Current, folder: Path | None = None) -> None:
        """Makes the checks of a run that change nothing, from wherever it is.

        Args:
            current: Where things are; with the version on disk, if a folder is to become it.
            folder: Its files, if they are not below the base path yet.

        Raises:
            RolloutError: The run would end with this.
        """
        begun = self._open(current)
        if begun is not None and begun.failure:
            raise Failed(begun.failure)
        adopted = transitions.adopt(current)
        plans.plan(current, adopted)
        if begun is not None and begun.promoted and current.stable == self.version:
            return
        for replica in current.replicas:
            unavailable(replica, (self.version,))
        stable = adopted.labels[STABLE]
        look = Inspection(
            self.deployment, self.version, stable, self.policy, self.prometheus, folder=folder
        )
        if begun is None or not begun.loaded:
            self._refuse(look.without_changes())

    def _begin(self) -> OpenRun:
        """Goes on with the run that is under way, or begins one."""
        deployment = self.deployment
        begun = self._open()
        if begun is not None:
            deployment.run = begun.run
            deployment.tell(f"going on with the run of version {self.version}: {begun.progress}")
            return begun
        deployment.run = uuid.uuid4().hex[:8]
        self._note(EventKind.RUN_STARTED, self.why)
        return OpenRun(deployment.run, self.version)

    def _open(self, current: Current | None = None) -> OpenRun | None:
        """Returns the run to go on with; None if one may begin.

        Raises:
            Refused: Neither is possible.
        """
        begun = run_state.open_run(self.deployment.events())
        if begun is not None and begun.version != self.version:
            raise Refused(
                f"the run of version {begun.version} has not ended: `run {begun.version}` goes on "
                f"with it, and {self._end_of(begun.version)} ends it"
            )
        if begun is not None:
            return begun
        current = current or self.deployment.observe()
        if burned := current.burned.get(self.version):
            loaded = ""
            if current.available_everywhere(self.version):
                loaded = f", or `promote {self.version}` by your own decision: it is loaded still"
            raise Refused(
                f"version {self.version} {burned}. A number is never used again: publish what is "
                f"mended as version {plans.unused(current)}{loaded}"
            )
        plans.plan(
            current, transitions.beside(current, self.version)
        )  # what speaks against it is told
        return None

    def _phases(self, begun: OpenRun) -> None:
        deployment, version = self.deployment, self.version
        deployment.adopt(self.why)
        current = deployment.observe()
        if current.stable is None:
            raise Refused("no version is stable: `promote V` makes one so")
        if begun.promoted and current.stable == version:
            self._finish()
            return
        for replica in current.replicas:  # a killed run may not have seen that a load failed
            unavailable(replica, (version,))
        look = Inspection(deployment, version, current.stable, self.policy, self.prometheus)
        if not begun.checked:
            deployment.tell(f"version {version}: looking at its files")
            self._judged(look.on_disk())
        if not begun.loaded:
            memory = look.memory()
            deployment.tell(f"version {version}: loading it beside version {current.stable}")
            deployment.reach(transitions.beside(deployment.observe(), version), self.why)
            deployment.tell(f"version {version}: judging it without traffic")
            self._judged(look.loaded(memory))
            self._note(EventKind.ANALYSIS_PASSED)
        deployment.reach(transitions.canary(deployment.observe(), version), self.why)
        for percent in self.policy.traffic.steps:
            if percent not in begun.completed_weights:
                self._bake(look, percent)
        self._promote()

    def _bake(self, look: Inspection, percent: int) -> None:
        seconds = self.policy.traffic.bake
        self.deployment.shift(canary_weights(percent), self.why)
        self._note(EventKind.STEP_STARTED, weight=percent, seconds=seconds)
        self.deployment.tell(f"version {self.version}: {percent} % of the traffic, {seconds:g} s")
        began = told = time.monotonic()

        def watched(seen: ProbeResults) -> None:
            nonlocal told
            if time.monotonic() - told >= 10:
                told = time.monotonic()
                self.deployment.tell(f"  {told - began:.0f} of {seconds:g} s: {seen}")

        self._first_traffic = began if self._first_traffic is None else self._first_traffic
        ago = began - self._first_traffic
        results = look.bake(seconds, self._ended_by_others, watched, ago=ago)
        if self._ended_by_others():
            raise Interrupted(
                f"version {self.version} is not on trial any more: somebody else has ended it. "
                "Nothing was touched after that; `history` tells who"
            )
        self._judged(results)
        self._note(EventKind.STEP_COMPLETED, weight=percent)

    def _promote(self) -> None:
        """All of the traffic; the one before stays loaded, and the one before that goes."""
        deployment, version = self.deployment, self.version
        deployment.tell(f"version {version}: promoting it")
        if self._ended_by_others():
            raise Interrupted(f"version {version} is not on trial any more: somebody ended it")
        self._note(EventKind.PROMOTED, self.why)
        self._finish()

    def _finish(self) -> None:
        """Moves the labels, where they have not moved yet, and does what is left then."""
        deployment = self.deployment
        deployment.reach(transitions.promote(deployment.observe(), self.version), self.why)
        deployment.shift(ALL_STABLE)
        deployment.verify(STABLE, self.version)

    def _judged(self, results: Sequence[Measurement]) -> None:
        """Writes results down, and stops at a failure."""
        for result in results:
            self.deployment.tell(line(result))
            judged = {
                "gate": result.gate,
                "verdict": str(result.verdict),
                "message": result.message,
            }
            self.deployment.note(
                EventKind.MEASUREMENT, self.version, details={**result.values, **judged}
            )
        self._refuse(results)

    def _refuse(self, results: Sequence[Measurement]) -> None:
        """Stops at a gate that failed, or that nobody could judge."""
        refuse_failed(results)
        if overall(list(results)) is Verdict.INCONCLUSIVE:
            open_ones = [one for one in results if one.verdict is Verdict.INCONCLUSIVE]
            raise Inconclusive(
                f"{'; '.join(f'{one.gate}: {one.message}' for one in open_ones)}. Version "
                f"{self.version} stays where it is: `run {self.version}` judges it again, "
                f"`promote {self.version}` goes on by your own decision, and "
                f"{self._end_of(self.version)} ends it"
            )

    def _end_of(self, version: int) -> str:
        """Returns the verb that ends a run: before its trial, a rollback would move `stable`."""
        on_trial = self.deployment.record.read().labels.get(CANARY) == version
        return "`rollback`" if on_trial else f"`retire {version}`"

    def _take_back(self, why: Failed, *, again: bool = False) -> None:
        """Traffic goes back to the stable version, and the version is unloaded.

        Raises:
            Failed: Even that did not work; it says what is to be done by hand.
        """
        deployment, version = self.deployment, self.version
        deployment.tell(f"version {version}: taking it back")
        deployment.insists = False
        taken = f"version {version} is taken back"
        try:
            current = deployment.observe()
            with_traffic = version in (current.canary, current.stable)
            if not again:
                self._note(event_of(why, with_traffic=with_traffic), str(why))
            if with_traffic:
                wanted = transitions.rollback(deployment.observe())
                deployment.reach(wanted, taken, down_too=True)
                deployment.verify(STABLE, wanted.labels[STABLE], down_too=True)
            deployment.shift(ALL_STABLE)
            wanted = transitions.retire(deployment.observe(), version)
            deployment.reach(wanted, taken, down_too=True)
            self._note(EventKind.RUN_ENDED, outcome=Verdict.FAILED)
        except RolloutError as error:
            raise Failed(f"{why}. And it could not be taken back: {error}") from error
        deployment.tell(f"version {wanted.labels[STABLE]} has all of the traffic")

    def _ended_by_others(self) -> bool:
        recorded = self.deployment.record.read()
        return recorded.labels.get(CANARY) != self.version

    def _note(self, kind: EventKind, reason: str = "", **details: object) -> None:
        self.deployment.note(kind, self.version, reason, details)


def event_of(why: Failed, *, with_traffic: bool) -> EventKind:
    """What the history calls the end of a run: only a version at fault is burned by it."""
    if not isinstance(why, VersionFailed):
        return EventKind.ABORTED
    return EventKind.ROLLED_BACK if with_traffic else EventKind.FAILED


def line(result: Measurement) -> str:
    """A gate's result as a line of progress."""
    return f"  {result.verdict:<12} {result.gate}: {result.message}"


def refuse_failed(results: Sequence[Measurement]) -> None:
    """Stops at a gate that failed.

    Raises:
        VersionFailed: What the first of them found, and the names of the others.
    """
    failed = [one for one in results if one.verdict is Verdict.FAILED]
    if failed:
        first, *others = failed
        names = f" Failed too: {', '.join(one.gate for one in others)}." if others else ""
        raise VersionFailed(f"{first.gate}: {first.message}.{names}")
