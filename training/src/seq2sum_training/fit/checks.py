"""Checks over training pairs, and the best weights that checks have found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2sum_training.fit.trainer import Grades


@dataclass(frozen=True, slots=True)
class Check:
    """Result of a check over training pairs; partial until all of them are graded."""

    of: int
    """Questions to grade."""
    asked: int = 0
    """Questions graded so far."""
    failed: int = 0
    """Questions with a larger loss than the recipe allows."""
    wrong: int = 0
    """Questions with a wrong answer."""
    largest: float = 0.0
    """Largest loss, nats; infinite if a loss is NaN."""

    def with_grades(self, grades: Grades, *, largest_loss: float) -> Check:
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
        """Whether all questions are graded and none failed or is wrong."""
        return self.finished and self.failed == self.wrong == 0

    @property
    def rank(self) -> tuple[int, int, float]:
        """Sort key for checks of different weights, the best first."""
        return self.wrong, self.failed, self.largest

    def summary(self) -> dict[str, Any]:
        """Returns the fields for JSON, with null for an infinite loss."""
        largest = round(self.largest, 4) if np.isfinite(self.largest) else None
        return asdict(self) | {"largest": largest, "clean": self.clean}


@dataclass(frozen=True, slots=True, eq=False)  # comparing arrays gives no single truth value
class BestWeights:
    """The best weights that checks have found."""

    check: Check
    """Check of these weights."""
    weights: list[NDArray[Any]]
    """Averaged weights."""
    misses: int = 0
    """Number of checks in this attempt that did not improve on the best weights."""

    def state(self, name: str) -> dict[str, NDArray[Any]]:
        """Returns all fields as arrays, with keys that start with `name`; see `from_state`."""
        check = self.check
        counts = [check.of, check.asked, check.failed, check.wrong, self.misses]
        return {
            f"{name}_counts": np.array(counts),
            f"{name}_largest": np.array(check.largest),
            **{f"{name}/{i}": weights for i, weights in enumerate(self.weights)},
        }

    @classmethod
    def from_state(cls, name: str, state: Mapping[str, NDArray[Any]]) -> BestWeights | None:
        """Restores the result of `state`; returns None if the state has no such name."""
        if f"{name}_counts" not in state:
            return None
        of, asked, failed, wrong, misses = map(int, state[f"{name}_counts"])
        check = Check(of, asked, failed, wrong, float(state[f"{name}_largest"]))
        count = sum(key.startswith(f"{name}/") for key in state)
        return cls(check, [state[f"{name}/{i}"] for i in range(count)], misses)
