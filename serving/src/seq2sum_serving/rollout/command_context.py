"""A verb with what it works on, and how one at a time changes anything."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, RenderableType

from seq2sum_serving.console import output
from seq2sum_serving.console import steps as steps_view
from seq2sum_serving.deployment import event_log, file_lock
from seq2sum_serving.deployment.errors import Refused, UsageError
from seq2sum_serving.gates.metric_providers.prometheus import Prometheus
from seq2sum_serving.gates.policy import GatePolicy
from seq2sum_serving.rollout.executor import Deployment

LOCK = "rollout"
"""The end of the lock's name."""


@dataclass(slots=True)
class Task:
    """A verb with what it works on."""

    options: argparse.Namespace
    deployment: Deployment
    policy: GatePolicy
    prometheus: Prometheus | None
    console: Console
    """For what a person reads; silent where JSON is asked for."""
    answer: dict[str, Any] = field(default_factory=dict)
    """What `--json` prints."""

    @property
    def why(self) -> str:
        """The operator's words."""
        return str(self.options.why)

    def show(self, what: RenderableType) -> None:
        """Prints for a person."""
        with output.optional():
            self.console.print(what)

    def dry(
        self, steps: Sequence[object], *checks: Callable[[], object], lock: bool = True
    ) -> bool:
        """Makes a dry run, if one was asked for: it checks and shows, and changes nothing.

        Args:
            steps: The plan.
            checks: Further checks of the verb; each raises what the real run would raise.
            lock: Whether the verb needs the lock of `alone`.

        Returns:
            Whether a dry run was asked for.

        Raises:
            RolloutError: The real run would end with this.
        """
        if not self.options.dry_run:
            return False
        self.check_alone(lock=lock)
        for check in checks:
            check()
        self.show_plan(steps)
        return True

    def check_alone(self, *, lock: bool = True) -> None:
        """Checks that `alone` would let the verb in, and that its files can be written.

        Raises:
            Refused: Another process holds the lock, or the file of record cannot be changed.
            Failed: A file cannot be written.
        """
        self.deployment.check_files()
        holder = file_lock.holder(self.deployment.record.lock_path(LOCK)) if lock else None
        if holder is not None:
            raise _busy(holder)

    def show_plan(self, steps: Sequence[object]) -> None:
        """Prints the steps of a dry run."""
        self.answer["plan"] = [str(step) for step in steps]
        self.show(steps_view.steps([str(step) for step in steps]))


@contextmanager
def alone(task: Task) -> Iterator[None]:
    """Holds the lock of the verbs that change anything; a rollback goes without it.

    Raises:
        Refused: Another process holds it, or the file of record cannot be changed.
        Failed: A file that the verb may write cannot be written.
    """
    task.deployment.check_files()
    path = task.deployment.record.lock_path(LOCK)
    told = f"{task.options.verb} by {event_log.current_user()} since {event_log.utc_now()}"
    with ExitStack() as held:
        try:
            held.enter_context(file_lock.hold(path, told, wait=False))
        except BlockingIOError as error:
            raise _busy(str(error.filename)) from error
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error
        yield


def _busy(holder: str) -> Refused:
    return Refused(
        f"another rollout is under way: {holder}. Wait for its end, or look on with `watch`; "
        "`rollback` works at any time"
    )
