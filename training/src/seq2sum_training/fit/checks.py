"""Checks over training pairs, and the best weights that a check has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2sum_training.fit.trainer import Grades


@dataclass(frozen=True, slots=True)
class Check:
    """What a check over training pairs has found so far."""

    of: int
    """Questions to be graded."""
    asked: int = 0
    """Questions graded."""
    failed: int = 0
    """Those with a larger loss than the recipe allows."""
    wrong: int = 0
    """Those answered wrongly."""
    largest: float = 0.0
    """The largest loss, nats; infinite where a loss is not a number."""

    def with_more(self, grades: Grades, *, largest_loss: float) -> Check:
        """Returns the check with these grades added."""
        losses = np.where(np.isnan(grades.loss), np.inf, grades.loss)
        return replace(
            self,
            asked=self.asked + len(losses),
            failed=self.failed + int((losses > largest_loss).sum()),
            wrong=self.wrong + int((~grades.right).sum()),
            largest=max(self.largest, float(losses.max())),
        )

    @property
    def finished(self) -> bool:
        """Whether all questions are graded."""
        return self.asked == self.of

    @property
    def clean(self) -> bool:
        """Whether all were graded and none failed or was wrong."""
        return self.finished and self.failed == self.wrong == 0

    @property
    def rank(self) -> tuple[int, int, float]:
        """Orders checks of different weights: the smallest is the best."""
        return self.wrong, self.failed, self.largest

    def summary(self) -> dict[str, Any]:
        """The figures, ready for JSON; an infinite loss is null there."""
        largest = round(self.largest, 4) if np.isfinite(self.largest) else None
        return asdict(self) | {"largest": largest, "clean": self.clean}


@dataclass(frozen=True, slots=True, eq=False)  # arrays cannot be compared as one truth value
class Best:
    """The best weights that a check has seen."""

    check: Check
    """The check that saw them."""
    weights: list[NDArray[Any]]
    """The averaged weights."""
    misses: int = 0
    """Checks so far that found no improvement on the best weights of their time."""

    def state(self, name: str) -> dict[str, NDArray[Any]]:
        """Returns everything as arrays, from which `restored` makes it again."""
        check = self.check
        counts = [check.of, check.asked, check.failed, check.wrong, self.misses]
        return {
            f"{name}_counts": np.array(counts),
            f"{name}_largest": np.array(check.largest),
            **{f"{name}/{i}": weights for i, weights in enumerate(self.weights)},
        }

    @classmethod
    def restored(cls, name: str, state: Mapping[str, NDArray[Any]]) -> Best | None:
        """Returns what `state` gave under this name; None if there was nothing."""
        if f"{name}_counts" not in state:
            return None
        of, asked, failed, wrong, misses = map(int, state[f"{name}_counts"])
        check = Check(of, asked, failed, wrong, float(state[f"{name}_largest"]))
        count = sum(key.startswith(f"{name}/") for key in state)
        return cls(check, [state[f"{name}/{i}"] for i in range(count)], misses)
