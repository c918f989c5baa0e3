"""Stages of a run and the learning rate of each of their steps: pure functions of the recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2sum_training.recipe import Recipe

POLISH_WARM_UP = 1 / 6
"""Share of a polish round in which the rate rises, so that fresh moments do no harm."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of steps with a learning-rate schedule of its own."""

    name: str
    """`fit`, `polish 1`, `polish 2` and so on; later attempts have their number behind it."""
    attempt: int
    """The attempt that it belongs to, from 1."""
    start: int
    """Its first step, counted from the beginning of the run."""
    steps: int
    """How many."""
    peak: float
    """Peak learning rate."""
    cosine: bool
    """Whether the rate falls to 0, as half a cosine wave (Loshchilov & Hutter 2017)."""
    warm_up: int
    """Steps of linear rise to the peak."""
    share: float
    """Share of each batch that is drawn from the hardest questions known."""
    polishes: bool
    """Whether it starts from the best weights of its attempt; `fit` starts from initial ones."""

    @property
    def end(self) -> int:
        """The step after its last one."""
        return self.start + self.steps

    def rates(self, steps: range) -> NDArray[np.float32]:
        """Learning rates of these steps of the run."""
        step = np.array(steps) - self.start
        if not self.cosine:
            return np.full(len(step), self.peak, np.float32)
        rise = (step + 1) / max(1, self.warm_up)
        place = (step - self.warm_up) / (self.steps - self.warm_up)
        fall = 0.5 * (1 + np.cos(math.pi * np.clip(place, 0, 1)))
        return np.asarray(self.peak * np.where(step < self.warm_up, rise, fall), np.float32)


def stages(recipe: Recipe) -> list[Stage]:
    """All stages that a run of this recipe may go through, in order."""
    course: list[Stage] = []
    for attempt in range(1, recipe.polish.attempts + 1 if recipe.polish else 2):
        course += _attempt(recipe, attempt, start=course[-1].end if course else 0)
    return course


def _attempt(recipe: Recipe, attempt: int, *, start: int) -> list[Stage]:
    """The stages from initial weights to the last round of polish."""
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
        share=recipe.mining.share if recipe.mining else 0.0,
        polishes=False,
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
            share=polish.share,
            polishes=True,
        )
        for number in range(1, polish.rounds + 1)
    ]
    return [first, *rounds]
