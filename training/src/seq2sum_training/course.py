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
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2sum_training.batches import Batches
from seq2sum_training.errors import Astray
from seq2sum_training.hardest import Hardest
from seq2sum_training.history import Progress
from seq2sum_training.questions import ENUMERATED_DIGITS, Numbers, every_pair
from seq2sum_training.recipe import Polish, Recipe
from seq2sum_training.schedule import Stage, stages
from seq2sum_training.trainer import GRADED_ROWS, Pairs, Trainer

PROBE_STEP, CHECK_STEP, HARDEST_STEP = 2**31, 2**32, 2**33
"""Draws for other purposes than a step's batch; no run trains that long."""
CHECK_PART = 16 * GRADED_ROWS
"""Questions that a check grades before it looks at what it found."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a check over training pairs found so far."""

    asked: int
    """Questions graded."""
    of: int
    """Questions to be graded, if the check does not end early."""
    failed: int
    """Those with a larger loss than the recipe allows."""
    wrong: int
    """Those answered wrongly."""
    finished: bool
    """Whether the check is over."""

    @property
    def clean(self) -> bool:
        """Whether all were graded and none failed."""
        return self.finished and self.failed == self.wrong == 0

    def summary(self) -> dict[str, int | bool]:
        """The figures, ready for JSON."""
        figures = {"asked": self.asked, "of": self.of, "failed": self.failed, "wrong": self.wrong}
        return figures | {"clean": self.clean}


class Course:
    """One run on its way."""

    def __init__(self, recipe: Recipe, batches: Batches, trainer: Trainer) -> None:
        self._recipe, self._batches, self._trainer = recipe, batches, trainer
        self.step = 0
        """Steps done."""
        self._exact = 0.0
        self._hardest = Hardest.none()
        self._probe = self._draw(PROBE_STEP, GRADED_ROWS)
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def run(self) -> Iterator[Progress | Check]:
        """Goes on to the end, telling after each block and during each check.

        Raises:
            Astray: The loss is not finite any more.
        """
        target = self._recipe.fit.stop_at or math.inf
        if self._exact >= target:  # resumed after its last block
            return
        for stage in stages(self._recipe):
            if self.step >= stage.end:
                continue
            if stage.polishes and self.step == stage.start:
                check = yield from self._check()
                if check.clean:
                    return
                self._trainer.begin_again()
            for start in range(self.step, stage.end, self._trainer.block_steps):
                if not stage.polishes and self._is_search_due(start):
                    self._search()
                stop = min(start + self._trainer.block_steps, stage.end)
                yield self._block(stage, range(start, stop))
                if self._exact >= target:
                    return
        if self._recipe.polish:
            yield from self._check()

    def state(self) -> dict[str, NDArray[Any]]:
        """All that the next block depends on, and the time spent."""
        return {
            "step": np.array(self.step),
            "exact": np.array(self._exact),
            "hardest_pairs": self._hardest.pairs,
            "hardest_losses": self._hardest.losses,
            "cpu_seconds": np.array(self.cpu_seconds),
            "wall_seconds": np.array(self.wall_seconds),
            **self._trainer.state(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Goes on from what `state` gave."""
        self._trainer.restore(state)
        self.step, self._exact = int(state["step"]), float(state["exact"])
        self._hardest = Hardest(state["hardest_pairs"], state["hardest_losses"])
        self._cpu -= float(state["cpu_seconds"])
        self._wall -= float(state["wall_seconds"])

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

    def _block(self, stage: Stage, steps: range) -> Progress:
        began = time.perf_counter()
        rates = stage.rates(steps)
        batches = [self._batch(stage, step) for step in steps]
        loss = self._trainer.train(batches, rates)
        seconds = time.perf_counter() - began
        if not math.isfinite(loss):
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
        """Whether hard examples are searched before the block that begins at this step."""
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

    def _check(self) -> Generator[Check, None, Check]:
        """Grades training pairs in random order and keeps the hardest of them."""
        polish = self._recipe.polish
        assert polish is not None  # only polishing recipes check
        hardest = Hardest.none()
        asked = failed = wrong = 0
        everything = self._to_check(polish)
        while True:
            part = everything[:, asked : asked + CHECK_PART]
            grades = self._trainer.grade(*part)
            hardest = hardest.with_more(part, grades.loss, keep=polish.hardest)
            asked += part.shape[1]
            failed += int((~(grades.loss <= polish.largest_loss)).sum())  # NaN fails too
            wrong += int((~grades.right).sum())
            finished = asked == everything.shape[1] or (failed > 0 and asked >= polish.check)
            check = Check(asked, everything.shape[1], failed, wrong, finished)
            yield check
            if finished:
                self._hardest = hardest
                return check

    def _to_check(self, polish: Polish) -> Numbers:
        """Training pairs in the order of a check, [2, n]: every one, if they can be enumerated."""
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
