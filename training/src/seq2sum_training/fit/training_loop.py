"""The course of a run: its stages, blocks and checks, from the first step to the last.

Everything that is drawn is a function of the seed and the step, and everything else that the
next block depends on is in `state()`. So a run that was killed goes on from its last state
and ends in the same weights as one that was not.

Only training pairs are ever looked at here, by the probe and the check too: the held-out ones
are for the evaluation alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2sum_training.data.batches import Batches
from seq2sum_training.data.hard_examples import Hardest
from seq2sum_training.data.questions import Numbers, every_pair
from seq2sum_training.errors import Astray
from seq2sum_training.fit.checks import Best, Check
from seq2sum_training.fit.history import Progress
from seq2sum_training.fit.schedule import Stage, stages
from seq2sum_training.fit.trainer import GRADED_ROWS, Pairs, Trainer
from seq2sum_training.recipe import ENUMERATED_DIGITS, Polish, Recipe

PROBE_STEP, CHECK_STEP, HARDEST_STEP = 2**31, 2**32, 2**33
"""Draws for other purposes than a step's batch; no run trains that long."""
CHECK_PART = 16 * GRADED_ROWS
"""Questions that a check grades between two reports of its progress."""
SLOWEST = 6
"""Misses after which rounds start from the full rate again: slower ones would not move."""


class Course:
    """One run on its way."""

    def __init__(self, recipe: Recipe, batches: Batches, trainer: Trainer) -> None:
        self._recipe, self._batches, self._trainer = recipe, batches, trainer
        self.step = 0
        """Steps done."""
        self._exact = 0.0
        self._hardest = Hardest.none()
        self._best: Best | None = None
        """Of this attempt."""
        self._earlier: Best | None = None
        """Of the attempts before."""
        self._probe = self._draw(PROBE_STEP, GRADED_ROWS)
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def run(self) -> Iterator[Progress | Check]:
        """Goes on to the end, telling after each block and during each check.

        Raises:
            Astray: The loss is not finite any more.
        """
        if self._is_at_target():  # resumed after its last block
            return
        yield from self._stages()
        if self._kept and not self._is_at_target():
            self._trainer.begin_again(self._kept.weights)

    def state(self) -> dict[str, NDArray[Any]]:
        """All that the next block depends on, and the time spent."""
        return {
            "step": np.array(self.step),
            "exact": np.array(self._exact),
            "hardest_pairs": self._hardest.pairs,
            "hardest_losses": self._hardest.losses,
            "cpu_seconds": np.array(self.cpu_seconds),
            "wall_seconds": np.array(self.wall_seconds),
            **(self._best.state("best") if self._best else {}),
            **(self._earlier.state("earlier") if self._earlier else {}),
            **self._trainer.state(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Goes on from what `state` gave."""
        self._trainer.restore(state)
        self.step, self._exact = int(state["step"]), float(state["exact"])
        self._hardest = Hardest(state["hardest_pairs"], state["hardest_losses"])
        self._best = Best.restored("best", state)
        self._earlier = Best.restored("earlier", state)
        self._cpu -= float(state["cpu_seconds"])
        self._wall -= float(state["wall_seconds"])

    @property
    def check(self) -> Check | None:
        """The check of the weights that the run keeps; None if nothing checked them."""
        return None if self._kept is None or self._is_at_target() else self._kept.check

    @property
    def model(self) -> Any:
        """The Keras model with the averaged weights."""
        return self._trainer.model

    @property
    def cpu_seconds(self) -> float:
        """CPU time spent on the run so far, over all its processes, compilation included."""
        return time.process_time() - self._cpu

    @property
    def wall_seconds(self) -> float:
        """The same by the clock on the wall."""
        return time.perf_counter() - self._wall

    def _is_at_target(self) -> bool:
        """Whether the probe has reached `fit.stop_at`, if the recipe has one."""
        return self._exact >= (self._recipe.fit.stop_at or math.inf)

    def _stages(self) -> Iterator[Progress | Check]:
        """Goes through the stages until a check is clean, or none is left."""
        for stage in stages(self._recipe):
            if self.step >= stage.end:
                continue
            if self.step == stage.start > 0:
                best = yield from self._check()
                if best.check.clean:
                    return
                if stage.polishes:
                    self._trainer.begin_again(best.weights)
                else:
                    self._start_over(stage.attempt)
            yield from self._blocks(stage)
            if self._is_at_target():
                return
        if self._recipe.polish:
            yield from self._check()

    def _blocks(self, stage: Stage) -> Iterator[Progress]:
        """Trains what is left of a stage."""
        for start in range(self.step, stage.end, self._trainer.block_steps):
            if not stage.polishes and self._is_search_due(start - stage.start):
                self._search()
            yield self._block(
                stage, range(start, min(start + self._trainer.block_steps, stage.end))
            )
            if self._is_at_target():
                return

    def _block(self, stage: Stage, steps: range) -> Progress:
        began = time.perf_counter()
        rates = stage.rates(steps) * np.float32(self._slowdown)
        batches = [self._batch(stage, step) for step in steps]
        loss = self._trainer.train(batches, rates)
        seconds = time.perf_counter() - began
        # Later stages may diverge: the check after them returns to the best weights.
        if self._kept is None and not math.isfinite(loss):
            raise Astray(f"the loss is {loss} after step {steps.stop}: lower the learning rate")
        self.step = steps.stop
        self._exact = float(self._trainer.grade(*self._probe).right.mean())
        return Progress(
            step=self.step,
            stage=stage.name,
            loss=loss,
            exact=self._exact,
            learning_rate=float(rates[-1]),
            questions_per_second=sum(len(first) for first, _ in batches) / seconds,
            cpu_seconds=self.cpu_seconds,
        )

    def _batch(self, stage: Stage, step: int) -> Pairs:
        first, second = self._batches.batch(step)
        count = round(stage.share * len(first))
        if count and len(self._hardest.losses):
            random = self._random(HARDEST_STEP + step)
            first[-count:], second[-count:] = self._hardest.draw(random, count)
        return first, second

    def _is_search_due(self, step: int) -> bool:
        """Whether hard examples are searched before the block that starts at this step of fit."""
        mining = self._recipe.mining
        if mining is None or step < mining.begin:
            return False
        return (step - mining.begin) % mining.every < self._trainer.block_steps

    def _search(self) -> None:
        mining = self._recipe.mining
        assert mining is not None  # only mining recipes search
        pairs = np.stack(self._draw(CHECK_STEP + self.step * mining.search, mining.search))
        losses = self._trainer.grade(*pairs).loss
        self._hardest = Hardest.none().with_more(pairs, losses, keep=mining.hardest)

    @property
    def _kept(self) -> Best | None:
        """The best weights of all attempts."""
        found = [best for best in (self._earlier, self._best) if best is not None]
        return min(found, key=lambda best: best.check.rank, default=None)

    def _start_over(self, attempt: int) -> None:
        """Starts an attempt from initial weights; the best of those before are kept."""
        self._earlier, self._best, self._hardest = self._kept, None, Hardest.none()
        self._trainer.begin_again(self._trainer.initial_weights(attempt))

    @property
    def _slowdown(self) -> float:
        """What the misses so far make of a round's learning rate."""
        if self._best is None or self._recipe.polish is None:
            return 1.0
        return self._recipe.polish.factor ** (self._best.misses % SLOWEST)

    def _check(self) -> Generator[Check, None, Best]:
        """Grades training pairs; returns the best weights that this attempt has seen.

        Their hardest pairs are what the next round trains on.
        """
        polish = self._recipe.polish
        assert polish is not None  # only polishing recipes check
        hardest = Hardest.none()
        everything = self._to_check(polish)
        check = Check(of=everything.shape[1])
        while not check.finished:
            part = everything[:, check.asked : check.asked + CHECK_PART]
            grades = self._trainer.grade(*part)
            hardest = hardest.with_more(part, grades.loss, keep=polish.hardest)
            check = check.with_more(grades, largest_loss=polish.largest_loss)
            yield check
        if self._best is None or check.rank < self._best.check.rank:
            misses = self._best.misses if self._best else 0
            self._best, self._hardest = Best(check, self._trainer.weights(), misses), hardest
        else:
            self._best = replace(self._best, misses=self._best.misses + 1)
        return self._best

    def _to_check(self, polish: Polish) -> Numbers:
        """Training pairs, [2, n]: every one in random order, if they can be enumerated."""
        if self._recipe.digits > ENUMERATED_DIGITS:
            return np.stack(self._draw(CHECK_STEP + self.step * polish.check, polish.check))
        pairs = np.stack(every_pair(self._recipe.digits))
        pairs = pairs[:, self._batches.trained(*pairs)]
        return pairs[:, self._random(CHECK_STEP + self.step).permutation(pairs.shape[1])]

    def _draw(self, start: int, count: int) -> Pairs:
        """`count` pairs of the batches from step `start` on."""
        drawn: list[Pairs] = []
        while sum(len(first) for first, _ in drawn) < count:
            drawn.append(self._batches.batch(start + len(drawn)))
        first, second = (np.concatenate(part)[:count] for part in zip(*drawn, strict=True))
        return first, second

    def _random(self, number: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=[self._recipe.seed, number]))
