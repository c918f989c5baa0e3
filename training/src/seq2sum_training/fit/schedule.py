"""Learning-rate schedule: the stages of a run, as pure functions of its recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2sum_training.recipe import Recipe

POLISH_WARM_UP = 1 / 6
"""Share of a polish round with a rising rate, until the optimizer has estimated its moments."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Consecutive steps with one learning-rate schedule."""

    name: str
    """`fit`, `polish 1`, `polish 2` and so on, with `, attempt 2` appended in later attempts."""
    attempt: int
    """Number of the attempt, from 1."""
    start: int
    """First step, counted over the whole run."""
    steps: int
    """Number of steps."""
    peak: float
    """Peak learning rate."""
    cosine: bool
    """Whether the rate decays to 0 as half a cosine wave (Loshchilov & Hutter 2017)."""
    warm_up: int
    """Steps of linear warm-up to the peak."""
    hard_share: float
    """Share of each batch that is drawn from the hard examples."""
    is_polish: bool
    """Whether the stage starts from the best weights of its attempt, not from initial weights."""

    @property
    def end(self) -> int:
        """The step after the last one."""
        return self.start + self.steps

    def rates(self, steps: range) -> NDArray[np.float32]:
        """Returns the learning rates of these steps of the run, float32 [n]."""
        step = np.array(steps) - self.start
        if not self.cosine:
            return np.full(len(step), self.peak, np.float32)
        rise = (step + 1) / max(1, self.warm_up)
        decayed = (step - self.warm_up) / (self.steps - self.warm_up)
        fall = 0.5 * (1 + np.cos(math.pi * np.clip(decayed, 0, 1)))
        return np.asarray(self.peak * np.where(step < self.warm_up, rise, fall), np.float32)


def stages(recipe: Recipe) -> list[Stage]:
    """Returns all stages that a run of this recipe may have, in order."""
    result: list[Stage] = []
    for attempt in range(1, recipe.polish.attempts + 1 if recipe.polish else 2):
        result += _attempt(recipe, attempt, start=result[-1].end if result else 0)
    return result


def _attempt(recipe: Recipe, attempt: int, *, start: int) -> list[Stage]:
    """Returns the stages of one attempt: `fit` and all rounds of polish."""
    fit, polish = recipe.fit, recipe.polish
    suffix = f", attempt {attempt}" if attempt > 1 else ""
    first = Stage(
        name=f"fit{suffix}",
        attempt=attempt,
        start=start,
        steps=fit.steps,
        peak=fit.learning_rate,
        cosine=fit.schedule == "cosine",
        warm_up=fit.warm_up,
        hard_share=recipe.mining.share if recipe.mining else 0.0,
        is_polish=False,
    )
    if polish is None:
        return [first]
    rounds = [
        Stage(
            name=f"polish {number}{suffix}",
            attempt=attempt,
            start=first.end + (number - 1) * polish.steps,
            steps=polish.steps,
            peak=polish.learning_rate,
            cosine=True,
            warm_up=int(polish.steps * POLISH_WARM_UP),
            hard_share=polish.share,
            is_polish=True,
        )
        for number in range(1, polish.rounds + 1)
    ]
    return [first, *rounds]
