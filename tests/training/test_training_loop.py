"""The training loop with a real trainer: stages, hard examples, checks, resuming, early stop."""

from __future__ import annotations

import numpy as np
import pytest
from seq2sum_training import recipe
from seq2sum_training.data.batches import batches_of
from seq2sum_training.data.questions import all_pairs
from seq2sum_training.errors import Diverged
from seq2sum_training.fit.checks import Check
from seq2sum_training.fit.history import HistoryRow
from seq2sum_training.fit.trainer import Trainer
from seq2sum_training.fit.training_loop import TrainingLoop
from support.small_recipe import POLISH_SETTINGS as SETTINGS

pytestmark = pytest.mark.tensorflow


def new_loop(*overrides, trainer=None):
    chosen = recipe.load("fast", [*SETTINGS, *overrides])
    return TrainingLoop(chosen, batches_of(chosen), trainer or Trainer(chosen))


def run(loop):
    """Runs a loop to its end; returns its events, and its state after each block."""
    events, states = [], {}
    for event in loop.run():
        events.append(event)
        if isinstance(event, HistoryRow):
            states[event.step] = loop.state()
    return events, states


def assert_equal_weights(one, other):
    for a, b in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        assert (a == b).all()


@pytest.fixture(scope="module")
def uninterrupted():
    """An uninterrupted loop, its events, and its state after each block."""
    loop = new_loop()
    return loop, *run(loop)


@pytest.fixture(scope="module")
def another_trainer():
    """A trainer that is independent of `uninterrupted`."""
    return Trainer(recipe.load("fast", SETTINGS))


def test_loop_runs_blocks_and_checks_in_order(uninterrupted):
    _, events, _ = uninterrupted
    names = [event.stage if isinstance(event, HistoryRow) else "check" for event in events]
    assert names == [*["fit"] * 6, "check", *["polish 1"] * 2, "check", *["polish 2"] * 2, "check"]
    rows = [event for event in events if isinstance(event, HistoryRow)]
    assert [row.step for row in rows] == list(range(50, 501, 50))
    assert rows[-1].loss < rows[0].loss / 10
    assert rows[-1].exact > 0.9
    assert rows[-1].cpu_seconds > rows[0].cpu_seconds > 0


@pytest.mark.parametrize("step", [50, 150, 300, 350, 450])
def test_resumed_loop_ends_with_the_same_weights(uninterrupted, another_trainer, step):
    """The steps are before and after a search for hard examples, before a check, and in polish."""
    loop, _, states = uninterrupted
    resumed = new_loop(trainer=another_trainer)
    resumed.restore(states[step])
    assert resumed.step == step
    assert resumed.cpu_seconds >= float(states[step]["cpu_seconds"])
    run(resumed)
    assert_equal_weights(loop, resumed)


def test_loop_resumed_in_a_later_attempt_ends_with_the_same_weights(another_trainer):
    overrides = ("fit.steps=150", "polish.rounds=1", "polish.attempts=2")
    loop = new_loop(*overrides)
    _, states = run(loop)
    assert max(states) == 500
    for step in (250, 300, 450):
        resumed = new_loop(*overrides, trainer=another_trainer)
        resumed.restore(states[step])
        run(resumed)
        assert resumed.check == loop.check
        assert_equal_weights(loop, resumed)


def test_hard_examples_are_training_pairs_sorted_by_loss(uninterrupted):
    _, _, states = uninterrupted
    assert states[100]["hardest_pairs"].shape == (2, 0)
    pairs = states[300]["hardest_pairs"]
    assert pairs.shape == (2, 20)
    assert batches_of(recipe.load("fast", SETTINGS)).training_mask(*pairs).all()
    assert (np.diff(states[300]["hardest_losses"]) <= 0).all()


def test_loop_never_draws_or_grades_a_held_out_pair():
    chosen = recipe.load("fast", SETTINGS)
    trainer = Trainer(chosen)
    graded, trained = set(), set()
    grade, train = trainer.grade, trainer.train

    def recording_grade(first, second):
        graded.update(zip(first.tolist(), second.tolist(), strict=True))
        return grade(first, second)

    def recording_train(batches, rates):
        for first, second in batches:
            trained.update(zip(first.tolist(), second.tolist(), strict=True))
        return train(batches, rates)

    trainer.grade, trainer.train = recording_grade, recording_train
    run(new_loop(trainer=trainer))
    first, second = all_pairs(1)
    mask = batches_of(chosen).training_mask(first, second)
    training_pairs = set(zip(first[mask].tolist(), second[mask].tolist(), strict=True))
    assert 60 < len(training_pairs) < 100
    assert trained == training_pairs
    assert graded == training_pairs


def test_clean_check_ends_the_loop():
    loop = new_loop("polish.largest_loss=100")
    *_, last = loop.run()
    assert isinstance(last, Check)
    assert last.clean
    assert last.asked == last.of > 60
    assert loop.step == 300


def test_initial_weights_differ_by_attempt_and_are_reproducible(another_trainer):
    second, third = (another_trainer.initial_weights(attempt) for attempt in (2, 3))
    again = another_trainer.initial_weights(2)
    assert all((a == b).all() for a, b in zip(second, again, strict=True))
    assert not (second[0] == third[0]).any()
    assert [w.shape for w in second] == [w.shape for w in another_trainer.weights()]


def test_loop_ends_at_its_target_without_a_check():
    loop = new_loop("fit.stop_at=0.3")
    events, _ = run(loop)
    assert not any(isinstance(event, Check) for event in events)
    assert all(event.exact < 0.3 for event in events[:-1])
    assert events[-1].exact >= 0.3
    assert events[-1].step < 300
    assert loop.check is None


def test_loop_resumed_at_its_target_ends_at_once(another_trainer):
    state = new_loop(trainer=another_trainer).state()
    loop = new_loop("fit.stop_at=0.3", trainer=another_trainer)
    loop.restore(state | {"step": np.array(300), "exact": np.array(0.5)})
    assert list(loop.run()) == []


def test_check_of_nan_losses_is_not_clean(another_trainer):
    *_, check = new_loop(trainer=NanGrades(another_trainer))._check()
    assert check.failed == check.asked > 60
    assert not check.clean
    assert check.summary()["largest"] is None  # JSON has no infinity


class NanGrades:
    """A trainer that grades every answer with a loss of NaN."""

    def __init__(self, trainer):
        self.trainer = trainer

    def grade(self, first, second):
        grades = self.trainer.grade(first, second)
        return grades._replace(loss=np.full(len(first), np.nan, np.float32))

    def weights(self):
        return self.trainer.weights()


def test_nan_training_loss_ends_the_loop_with_advice(another_trainer):
    loop = new_loop(trainer=NanLoss(another_trainer))
    with pytest.raises(Diverged, match="after step 50: lower the learning rate"):
        list(loop.run())


class NanLoss:
    """A trainer whose training loss is NaN."""

    def __init__(self, trainer):
        self.block_steps, self.grade = trainer.block_steps, trainer.grade

    def train(self, _batches, _rates):
        return float("nan")
