"""A verb with what it works on, and how one at a time changes anything."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, RenderableType

from seq2sum_serving.rollout import files, history
from seq2sum_serving.rollout.deployment import Deployment
from seq2sum_serving.rollout.errors import Mistake, Refused
from seq2sum_serving.rollout.gates.policy import GatePolicy
from seq2sum_serving.rollout.gates.prometheus import Prometheus
from seq2sum_serving.rollout.views import steps as steps_view


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
        self.console.print(what)

    def dry(self, sentences: Sequence[object]) -> bool:
        """Shows a plan; whether that is all that was asked for."""
        if not self.options.dry_run:
            return False
        self.answer["plan"] = [str(sentence) for sentence in sentences]
        self.show(steps_view.steps([str(sentence) for sentence in sentences]))
        return True


@contextmanager
def alone(task: Task) -> Iterator[None]:
    """Nobody else changes anything at the same time, but for a rollback.

    Raises:
        Refused: Somebody does.
    """
    record = task.deployment.record
    path = record.path.with_name(f".{record.path.name}.rollout")
    told = f"{task.options.verb} by {history.who()} since {history.now()}"
    with ExitStack() as held:
        try:
            held.enter_context(files.locked(path, told, wait=False))
        except BlockingIOError as error:
            raise Refused(
                f"another rollout is under way: {error.filename}. Wait for its end, or look on "
                "with `watch`; `rollback` works at any time"
            ) from error
        except OSError as error:
            raise Mistake(f"cannot write {path}: {error.strerror}") from error
        yield
