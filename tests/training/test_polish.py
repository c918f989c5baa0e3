"""Rounds of polish and attempts, with a scripted trainer; checks and their best weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
from seq2sum_training import recipe
from seq2sum_training.data.batches import batches_of
from seq2sum_training.fit.checks import BestWeights, Check
from seq2sum_training.fit.trainer import Grades
from seq2sum_training.fit.training_loop import MISSES_PER_CYCLE, TrainingLoop
from support.small_recipe import POLISH_SETTINGS

pytestmark = pytest.mark.tensorflow


class ScriptedTrainer:
    """A trainer whose checks find given numbers of wrong answers.

    Its weights are [0] after the steps of fit, [1] after the first round of polish and so on.
    """

    block_steps = 50

    def __init__(self, *wrong):
        self.wrong = list(wrong)
        self.steps, self.started_from, self.rates, self.losses = 0, [], [], {}

    def train(self, batches, rates):
        self.steps += len(batches)
        self.rates.append(rates.max())
        return self.losses.get(self.steps, 1.0)

    def grade(self, first, _second):
        right = np.ones(len(first), np.bool_)
        if len(first) < 100:  # a check: the probe and searches have more questions
            right[: self.wrong.pop(0)] = False
        return Grades(right, np.where(right, 0.1, 3.0).astype(np.float32))

    def weights(self):
        return [np.array([max(0, self.steps - 300) // 100])]

    def restart_from(self, weights):
        self.started_from.append(int(weights[0][0]))

    def initial_weights(self, attempt):
        return [np.array([-attempt])]

    def state(self):
        return {"steps": np.array(self.steps)}


def finished_loop(trainer, *overrides):
    settings = [*POLISH_SETTINGS, "polish.largest_loss=0.4", *overrides]
    chosen = recipe.load("fast", settings)
    loop = TrainingLoop(chosen, batches_of(chosen), trainer)
    for _ in loop.run():
        pass
    return loop


def test_rounds_start_from_the_best_weights_and_the_run_keeps_them():
    trainer = ScriptedTrainer(9, 4, 7, 5, 2, 6)
    loop = finished_loop(trainer, "polish.rounds=5")
    assert trainer.started_from == [0, 1, 1, 1, 4, 4]  # the run keeps the last of these
    assert (loop.check.wrong, loop.check.failed, loop.check.clean) == (2, 2, False)
    assert [pair.tolist() for pair in loop._best.weights] == [[4]]


def test_clean_check_after_a_late_round_ends_the_loop():
    trainer = ScriptedTrainer(9, 12, 0)
    loop = finished_loop(trainer, "polish.rounds=5")
    assert trainer.started_from == [0, 0, 2]
    assert loop.check.clean
    assert loop.step == 500


def test_learning_rate_halves_after_each_miss_and_restarts_after_a_cycle():
    """A round at a lower rate that improves the weights keeps its rate."""
    misses = [9] * MISSES_PER_CYCLE
    trainer = ScriptedTrainer(9, 8, 9, 7, *misses, 6, 9)
    finished_loop(trainer, f"polish.rounds={len(misses) + 5}", "polish.learning_rate=1e-3")
    peaks = np.array(trainer.rates[6::2])  # the first block of a round has its peak
    halvings = [0, 0, 1, 1, *range(2, MISSES_PER_CYCLE), 0, 1, 1]
    assert peaks / peaks[0] == pytest.approx([0.5**n for n in halvings])


def test_attempt_without_a_clean_check_is_followed_by_one_from_new_weights():
    """Its rounds start from its own best weights; the run keeps the best of all attempts."""
    trainer = ScriptedTrainer(9, 4, 7, 5, 8, 6)
    loop = finished_loop(trainer, "polish.rounds=1", "polish.attempts=3")
    assert trainer.started_from == [0, -2, 4, -3, 8, 1]
    assert loop.check.wrong == 4
    assert loop.step == 1200


def test_clean_check_after_the_last_round_of_an_attempt_ends_the_loop():
    trainer = ScriptedTrainer(9, 0)
    loop = finished_loop(trainer, "polish.rounds=1", "polish.attempts=3")
    assert trainer.started_from == [0, 1]
    assert loop.check.clean


def test_round_that_diverges_is_followed_by_a_round_from_the_best_weights():
    trainer = ScriptedTrainer(9, 80, 0)
    trainer.losses = {350: math.nan, 400: math.nan}
    loop = finished_loop(trainer, "polish.rounds=5")
    assert trainer.started_from == [0, 0, 2]
    assert loop.check.clean


def test_best_weights_are_restored_from_their_state():
    best = BestWeights(Check(80, asked=80, failed=3, wrong=1, largest=2.5), [np.array([1.5, 2])], 4)
    restored = BestWeights.from_state("best", best.state("best"))
    assert (restored.check, restored.misses) == (best.check, 4)
    assert [weights.tolist() for weights in restored.weights] == [[1.5, 2]]
    assert BestWeights.from_state("earlier", best.state("best")) is None


def test_rank_of_a_check_puts_wrong_answers_before_large_losses():
    few_wrong = Check(of=80, asked=80, failed=9, wrong=1, largest=9.0)
    assert few_wrong.rank < Check(of=80, asked=80, failed=2, wrong=2, largest=0.9).rank
    assert few_wrong.rank > Check(of=80, asked=80, failed=8, wrong=1, largest=9.9).rank
