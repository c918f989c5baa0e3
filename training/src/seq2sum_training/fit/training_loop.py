"""The training loop: stages, blocks of steps, searches for hard examples, and checks.

Every random draw is a function of the seed and the step, and `state()` has everything else on
which the next block depends. So an interrupted run resumes and ends with the same weights as an
uninterrupted one.

The probe, the searches and the checks also use only training pairs: the held-out pairs are for the
evaluation only.
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
from seq2sum_training.data.hard_examples import HardExamples
from seq2sum_training.data.questions import Numbers, all_pairs
from seq2sum_training.errors import Diverged
from seq2sum_training.fit.checks import BestWeights, Check
from seq2sum_training.fit.history import HistoryRow
from seq2sum_training.fit.schedule import Stage, stages
from seq2sum_training.fit.trainer import GRADED_ROWS, Pairs, Trainer
from seq2sum_training.recipe import MAX_ENUMERATED_DIGITS, Polish, Recipe

PROBE_STEP, CHECK_STEP, HARD_EXAMPLES_STEP = 2**31, 2**32, 2**33
"""First steps of the draws that are not training batches, beyond the steps of any run."""
CHECK_PART = 16 * GRADED_ROWS
"""Questions that a check grades between two progress reports."""
MISSES_PER_CYCLE = 6
"""Checks without improvement after which the learning rate of the rounds restarts at its peak: a
lower rate would be too slow."""


class TrainingLoop:
    """Trains one run, from the first step or from a restored state to the end."""

    def __init__(self, recipe: Recipe, batches: Batches, trainer: Trainer) -> None:
        self._recipe, self._batches, self._trainer = recipe, batches, trainer
        self.step = 0
        """Steps completed."""
        self._exact = 0.0
        self._hard_examples = HardExamples.empty()
        self._best: BestWeights | None = None
        """Best weights of this attempt."""
        self._earlier: BestWeights | None = None
        """Best weights of all earlier attempts."""
        self._probe = self._draw(PROBE_STEP, GRADED_ROWS)
        self._cpu_start, self._wall_start = time.process_time(), time.perf_counter()

    def run(self) -> Iterator[HistoryRow | Check]:
        """Trains to the end; yields a row after each block and partial results of each check.

        Raises:
            Diverged: The loss is not finite.
        """
        if self._is_at_target():  # resumed after its last block
            return
        yield from self._stages()
        if self._best_of_all and not self._is_at_target():
            self._trainer.restart_from(self._best_of_all.weights)

    def state(self) -> dict[str, NDArray[Any]]:
        """Returns everything on which the next block depends, and the time used so far."""
        return {
            "step": np.array(self.step),
            "exact": np.array(self._exact),
            "hardest_pairs": self._hard_examples.pairs,
            "hardest_losses": self._hard_examples.losses,
            "cpu_seconds": np.array(self.cpu_seconds),
            "wall_seconds": np.array(self.wall_seconds),
            **(self._best.state("best") if self._best else {}),
            **(self._earlier.state("earlier") if self._earlier else {}),
            **self._trainer.state(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restores a result of `state`."""
        self._trainer.restore(state)
        self.step, self._exact = int(state["step"]), float(state["exact"])
        self._hard_examples = HardExamples(state["hardest_pairs"], state["hardest_losses"])
        self._best = BestWeights.from_state("best", state)
        self._earlier = BestWeights.from_state("earlier", state)
        self._cpu_start -= float(state["cpu_seconds"])
        self._wall_start -= float(state["wall_seconds"])

    @property
    def check(self) -> Check | None:
        """Check of the weights that the run keeps; None if they were not checked."""
        best = self._best_of_all
        return None if best is None or self._is_at_target() else best.check

    @property
    def model(self) -> Any:
        """Keras model with the averaged weights."""
        return self._trainer.model

    @property
    def cpu_seconds(self) -> float:
        """CPU time of the run so far, over all its processes, including compilation."""
        return time.process_time() - self._cpu_start

    @property
    def wall_seconds(self) -> float:
        """Wall-clock time of the run so far, over all its processes."""
        return time.perf_counter() - self._wall_start

    def _is_at_target(self) -> bool:
        """Returns whether the probe has reached `fit.stop_at`, if the recipe has it."""
        return self._exact >= (self._recipe.fit.stop_at or math.inf)

    def _stages(self) -> Iterator[HistoryRow | Check]:
        """Runs the stages until a check is clean or the last stage ends."""
        for stage in stages(self._recipe):
            if self.step >= stage.end:
                continue
            if self.step == stage.start > 0:
                best = yield from self._check()
                if best.check.clean:
                    return
                if stage.is_polish:
                    self._trainer.restart_from(best.weights)
                else:
                    self._start_attempt(stage.attempt)
            yield from self._blocks(stage)
            if self._is_at_target():
                return
        if self._recipe.polish:
            yield from self._check()

    def _blocks(self, stage: Stage) -> Iterator[HistoryRow]:
        """Trains the remaining blocks of a stage."""
        for start in range(self.step, stage.end, self._trainer.block_steps):
            if not stage.is_polish and self._is_search_due(start - stage.start):
                self._search()
            yield self._block(
                stage, range(start, min(start + self._trainer.block_steps, stage.end))
            )
            if self._is_at_target():
                return

    def _block(self, stage: Stage, steps: range) -> HistoryRow:
        start = time.perf_counter()
        rates = stage.rates(steps) * np.float32(self._rate_factor)
        batches = [self._batch(stage, step) for step in steps]
        loss = self._trainer.train(batches, rates)
        seconds = time.perf_counter() - start
        # Once there are best weights, the next check returns to them if a stage diverges.
        if self._best_of_all is None and not math.isfinite(loss):
            raise Diverged(f"the loss is {loss} after step {steps.stop}: lower the learning rate")
        self.step = steps.stop
        self._exact = float(self._trainer.grade(*self._probe).right.mean())
        return HistoryRow(
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
        count = round(stage.hard_share * len(first))
        if count and len(self._hard_examples.losses):
            random = self._random(HARD_EXAMPLES_STEP + step)
            first[-count:], second[-count:] = self._hard_examples.draw(random, count)
        return first, second

    def _is_search_due(self, step: int) -> bool:
        """Returns whether the block at this step of the fit stage begins with a search."""
        mining = self._recipe.mining
        if mining is None or step < mining.begin:
            return False
        return (step - mining.begin) % mining.every < self._trainer.block_steps

    def _search(self) -> None:
        """Replaces the hard examples by the hardest of newly drawn training pairs."""
        mining = self._recipe.mining
        assert mining is not None  # see `_is_search_due`
        pairs = np.stack(self._draw(CHECK_STEP + self.step * mining.search, mining.search))
        losses = self._trainer.grade(*pairs).loss
        self._hard_examples = HardExamples.empty().merged(pairs, losses, keep=mining.hardest)

    @property
    def _best_of_all(self) -> BestWeights | None:
        """Best weights of all attempts."""
        found = [best for best in (self._earlier, self._best) if best is not None]
        return min(found, key=lambda best: best.check.rank, default=None)

    def _start_attempt(self, attempt: int) -> None:
        """Restarts from new initial weights, and keeps the best weights so far."""
        self._earlier, self._best = self._best_of_all, None
        self._hard_examples = HardExamples.empty()
        self._trainer.restart_from(self._trainer.initial_weights(attempt))

    @property
    def _rate_factor(self) -> float:
        """Factor on a round's learning rate after the misses so far."""
        if self._best is None or self._recipe.polish is None:
            return 1.0
        return self._recipe.polish.factor ** (self._best.misses % MISSES_PER_CYCLE)

    def _check(self) -> Generator[Check, None, BestWeights]:
        """Grades training pairs; returns the best weights of this attempt so far.

        The hardest pairs of the best weights become the hard examples of the next round.
        """
        polish = self._recipe.polish
        assert polish is not None  # only recipes with polish have checks
        hard_examples = HardExamples.empty()
        pairs = self._pairs_to_check(polish)
        check = Check(of=pairs.shape[1])
        while not check.finished:
            part = pairs[:, check.asked : check.asked + CHECK_PART]
            grades = self._trainer.grade(*part)
            hard_examples = hard_examples.merged(part, grades.loss, keep=polish.hardest)
            check = check.with_grades(grades, largest_loss=polish.largest_loss)
            yield check
        if self._best is None or check.rank < self._best.check.rank:
            misses = self._best.misses if self._best else 0
            self._best = BestWeights(check, self._trainer.weights(), misses)
            self._hard_examples = hard_examples
        else:
            self._best = replace(self._best, misses=self._best.misses + 1)
        return self._best

    def _pairs_to_check(self, polish: Polish) -> Numbers:
        """Returns all training pairs in random order if they are enumerated, or a draw, [2, n]."""
        if self._recipe.digits > MAX_ENUMERATED_DIGITS:
            return np.stack(self._draw(CHECK_STEP + self.step * polish.check, polish.check))
        pairs = np.stack(all_pairs(self._recipe.digits))
        pairs = pairs[:, self._batches.training_mask(*pairs)]
        return pairs[:, self._random(CHECK_STEP + self.step).permutation(pairs.shape[1])]

    def _draw(self, start: int, count: int) -> Pairs:
        """Returns the first `count` pairs of the batches from step `start`."""
        drawn: list[Pairs] = []
        while sum(len(first) for first, _ in drawn) < count:
            drawn.append(self._batches.batch(start + len(drawn)))
        first, second = (np.concatenate(part)[:count] for part in zip(*drawn, strict=True))
        return first, second

    def _random(self, number: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=[self._recipe.seed, number]))
