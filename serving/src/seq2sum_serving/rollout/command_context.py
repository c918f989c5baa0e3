"""The context of a command, and the lock that lets one command at a time change a model."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, RenderableType

from seq2sum_serving.console import output
from seq2sum_serving.console.text import numbered_list
from seq2sum_serving.deployment import event_log, file_lock
from seq2sum_serving.deployment.errors import Refused, UsageError
from seq2sum_serving.gates.metric_providers.prometheus import Prometheus
from seq2sum_serving.gates.policy import GatePolicy
from seq2sum_serving.rollout.change_options import ChangeOptions
from seq2sum_serving.rollout.executor import Executor
from seq2sum_serving.rollout.placement import Placement


@dataclass(slots=True)
class CommandContext:
    """Arguments, deployment, policy and output of a command."""

    arguments: argparse.Namespace
    placement: Placement
    policy: GatePolicy
    prometheus: Prometheus | None
    console: Console
    """For text output; quiet with `--json`."""
    output: dict[str, Any] = field(default_factory=dict)
    """The object that `--json` prints."""

    @property
    def executor(self) -> Executor:
        """The servers that callers reach."""
        return self.placement.stable

    @property
    def options(self) -> ChangeOptions:
        """The options of the command's changes."""
        return ChangeOptions(str(self.arguments.reason))

    def show(self, text: RenderableType) -> None:
        """Prints text output."""
        with output.optional():
            self.console.print(text)

    def dry_run(
        self, steps: Sequence[object], *checks: Callable[[], object], exclusive: bool = True
    ) -> bool:
        """Makes a dry run if `--dry-run` is given: checks and shows the plan; changes nothing.

        Args:
            steps: The plan.
            checks: Further checks; each raises what the command would raise.
            exclusive: Whether the command needs the lock and the history.

        Returns:
            Whether `--dry-run` is given.
        """
        if not self.arguments.dry_run:
            return False
        self.check_exclusive(exclusive=exclusive)
        for check in checks:
            check()
        self.show_plan(steps)
        return True

    def check_exclusive(self, *, exclusive: bool = True) -> None:
        """Checks that the lock is free and files can be written; raises as `exclusive_lock`."""
        self.executor.check_files(require_history=exclusive)
        path = self.executor.config.rollout_lock()
        owner = file_lock.holder(path) if exclusive else None
        if owner is not None:
            raise _locked_by(owner)

    def show_plan(self, steps: Sequence[object]) -> None:
        """Shows the steps of a dry run."""
        self.output["plan"] = list(map(str, steps))
        self.show(numbered_list(self.output["plan"]))


@contextmanager
def exclusive_lock(context: CommandContext) -> Iterator[None]:
    """Holds the lock of every command that changes the model, except `rollback`.

    Raises:
        Refused: Another process holds it, or the model config file is read-only.
        Failed: A file that the command may write cannot be written.
        UsageError: The lock file cannot be written, or the shares cannot be read.
    """
    context.executor.check_files()
    path = context.executor.config.rollout_lock()
    command, user = context.arguments.command, event_log.current_user()
    owner = f"{command} by {user} since {event_log.utc_now()}"
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock.hold(path, owner, wait=False))
        except BlockingIOError as error:
            raise _locked_by(str(error.filename)) from error
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error
        yield


def _locked_by(owner: str) -> Refused:
    return Refused(
        f"another rollout of this model is in progress: {owner}. Wait until it ends, or follow it "
        "with `watch`; `rollback` works at any time"
    )
