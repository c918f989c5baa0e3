"""Judges a version among the servers that callers reach: for one server without a candidate group.

TensorFlow Serving answers calls without a version or a label by the highest AVAILABLE version, so
these reach the version from the moment it is loaded.
"""

from __future__ import annotations

from seq2sum_serving.deployment.errors import Refused
from seq2sum_serving.deployment.replicas import Replicas
from seq2sum_serving.deployment.state import STABLE, Current
from seq2sum_serving.rollout import planner, transitions
from seq2sum_serving.rollout.change_options import ChangeOptions
from seq2sum_serving.rollout.executor import Executor
from seq2sum_serving.rollout.planner import Step


class InPlace:
    """The servers that callers reach.

    Args:
        stable: These servers.
        all_labelled: Whether every caller names a label, as the policy states.
    """

    name = "in place"
    is_separate = False

    def __init__(self, stable: Executor, *, all_labelled: bool) -> None:
        self.stable = stable
        self._all_labelled = all_labelled

    @property
    def replicas(self) -> Replicas:
        """The servers that callers reach."""
        return self.stable.replicas

    def observe(self) -> Current:
        """Returns the state of the servers that callers reach."""
        return self.stable.observe()

    def pin_versions(self, options: ChangeOptions) -> None:
        """Does nothing: there is no further file."""

    def plan(self, current: Current, version: int) -> tuple[Step, ...]:
        """Returns the steps that load a version; see `Placement.plan`."""
        steps = planner.plan(current, transitions.load(current, version))
        self._check_callers(current, version)
        return steps

    def _check_callers(self, current: Current, version: int) -> None:
        """Raises Refused if callers without a label would reach the version."""
        if not self._all_labelled and version > transitions.adopt(current).labels[STABLE]:
            raise Refused(
                f"version {version} would answer every call without a label as soon as it is "
                "loaded, before any gate: a server answers such calls with the highest version "
                "that it has. Judge it on separate servers (--candidate-targets), or, if every "
                'caller names the label `stable`, set unlabelled_callers = "none" in [traffic] of '
                "the policy file"
            )

    def load(self, version: int, options: ChangeOptions) -> None:
        """Loads a version without a label; see `Placement.load`."""
        current = self.stable.observe()
        self._check_callers(current, version)  # a resumed run may have another policy
        self.stable.apply(transitions.load(current, version), options)

    def start(self, version: int, options: ChangeOptions) -> None:
        """Labels the version `canary`; see `Placement.start`."""
        self.stable.apply(transitions.start_canary(self.stable.observe(), version), options)

    def canary(self, current: Current) -> int | None:
        """Returns the version with the label `canary`; None if it is the stable one."""
        return current.canary

    def lists(self, version: int) -> bool:  # noqa: ARG002 the protocol's parameter
        """Returns False: there is no further file."""
        return False

    def clear(self, version: int | None, options: ChangeOptions) -> None:
        """Unloads a version that is neither stable nor the canary."""
        current = self.stable.observe()
        if version is not None and version not in (current.stable, current.canary):
            self.stable.apply(transitions.retire(current, version), options)
