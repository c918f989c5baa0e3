"""The course of a run: stages, checks, hard examples, and going on from any of its states."""

from __future__ import annotations

import numpy as np
import pytest
from seq2sum_training import recipe
from seq2sum_training.batches import batches_of
from seq2sum_training.course import Check, Course
from seq2sum_training.errors import Astray
from seq2sum_training.hardest import Hardest
from seq2sum_training.history import Progress
from seq2sum_training.questions import every_pair
from seq2sum_training.trainer import Trainer

SETTINGS = (
    "digits=1",
    "data.held_out=0.2",
    "network.encoder=12",
    "network.decoder=12",
    "fit.steps=300",
    "fit.warm_up=20",
    "mining.begin=100",
    "mining.every=50",
    "mining.search=500",
    "mining.hardest=20",
    "polish.rounds=2",
    "polish.steps=100",
    "polish.check=10",
    "polish.hardest=20",
    # Not to be had: the course goes all the way.
    "polish.largest_loss=1e-6",
)


def course(*overrides):
    chosen = recipe.load("fast", [*SETTINGS, *overrides])
    return Course(chosen, batches_of(chosen), Trainer(chosen))


def weights(ended):
    return ended.model.get_weights()


@pytest.fixture(scope="module")
def unbroken():
    """A course that went through in one go: its events, and its state after each block."""
    going = course()
    events, states = [], {}
    for event in going.run():
        events.append(event)
        if isinstance(event, Progress):
            states[event.step] = going.state()
    return going, events, states


def test_blocks_stages_and_checks_follow_each_other(unbroken):
    _, events, _ = unbroken
    told = [event.stage if isinstance(event, Progress) else "check" for event in events]
    assert told == [*["fit"] * 6, "check", *["polish 1"] * 2, "check", *["polish 2"] * 2, "check"]
    blocks = [event for event in events if isinstance(event, Progress)]
    assert [block.step for block in blocks] == list(range(50, 501, 50))
    assert blocks[-1].loss < blocks[0].loss / 10
    assert blocks[-1].exact > 0.9
    assert blocks[-1].cpu_seconds > blocks[0].cpu_seconds > 0


@pytest.fixture(scope="module")
def another_trainer():
    """A trainer that has nothing to do with `unbroken`."""
    return Trainer(recipe.load("fast", SETTINGS))


@pytest.mark.parametrize("step", [50, 150, 300, 350, 450])
def test_a_course_that_goes_on_from_a_state_ends_in_the_same_weights(
    unbroken, another_trainer, step
):
    """In the middle of fit, after hard examples, before a check, in a round of polish."""
    ended, _, states = unbroken
    chosen = recipe.load("fast", SETTINGS)
    again = Course(chosen, batches_of(chosen), another_trainer)
    again.restore(states[step])
    assert again.step == step
    assert again.cpu_seconds >= float(states[step]["cpu_seconds"])
    for _ in again.run():
        pass
    for one, other in zip(weights(ended), weights(again), strict=True):
        assert (one == other).all()


def test_hard_examples_are_training_pairs_and_the_hardest(unbroken):
    _, _, states = unbroken
    assert states[100]["hardest_pairs"].shape == (2, 0)
    pairs = states[300]["hardest_pairs"]
    assert pairs.shape == (2, 20)
    assert batches_of(recipe.load("fast", SETTINGS)).trained(*pairs).all()
    losses = states[300]["hardest_losses"]
    assert (np.diff(losses) <= 0).all()


def test_nothing_held_out_is_ever_drawn_or_graded():
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
    for _ in Course(chosen, batches_of(chosen), trainer).run():
        pass
    first, second = every_pair(1)
    seen = batches_of(chosen).trained(first, second)
    known = set(zip(first[seen].tolist(), second[seen].tolist(), strict=True))
    assert 60 < len(known) < 100
    assert trained == known
    assert graded == known


def test_a_clean_check_ends_the_course():
    going = course("polish.largest_loss=100")
    *_, last = going.run()
    assert isinstance(last, Check)
    assert last.clean
    assert last.asked == last.of > 60
    assert going.step == 300


def test_a_course_ends_early_at_its_target():
    going = course("fit.stop_at=0.3")
    events = list(going.run())
    assert all(event.exact < 0.3 for event in events[:-1])
    assert events[-1].exact >= 0.3
    assert events[-1].step < 300


def test_a_target_that_is_reached_leaves_out_the_polish(another_trainer):
    chosen = recipe.load("fast", [*SETTINGS, "fit.stop_at=0.3"])
    ended = Course(chosen, batches_of(chosen), another_trainer)
    ended.restore(course().state() | {"step": np.array(300), "exact": np.array(0.5)})
    assert list(ended.run()) == []


def test_a_check_of_answers_that_are_no_numbers_is_not_clean(another_trainer):
    chosen = recipe.load("fast", SETTINGS)
    checking = Course(chosen, batches_of(chosen), NoNumbers(another_trainer))
    *_, check = checking._check()
    assert check.failed == check.asked > 60
    assert not check.clean


class NoNumbers:
    """A trainer whose every grade is no number."""

    def __init__(self, trainer):
        self.trainer = trainer

    def grade(self, first, second):
        grades = self.trainer.grade(first, second)
        return grades._replace(loss=np.full(len(first), np.nan, np.float32))


def test_a_loss_that_is_no_number_any_more_ends_the_course_with_advice(another_trainer):
    chosen = recipe.load("fast", SETTINGS)
    lost = Course(chosen, batches_of(chosen), NoLoss(another_trainer))
    with pytest.raises(Astray, match="after step 50: lower the learning rate"):
        list(lost.run())


class NoLoss:
    """A trainer whose loss is no number."""

    def __init__(self, trainer):
        self.block_steps, self.grade = trainer.block_steps, trainer.grade

    def train(self, _batches, _rates):
        return float("nan")


def test_the_hardest_are_kept_and_drawn_by_the_root_of_their_loss():
    pairs = np.arange(20).reshape(2, 10)
    losses = np.array([0, 5, 1, 0, 3, 0, 0, 0, 0, 0], np.float32)
    kept = Hardest.none().with_more(pairs[:, :5], losses[:5], keep=3)
    kept = kept.with_more(pairs[:, 5:], losses[5:], keep=3)
    assert kept.losses.tolist() == [5, 3, 1]
    assert kept.pairs.tolist() == [[1, 4, 2], [11, 14, 12]]
    drawn = kept.draw(np.random.default_rng(1), 9000)
    counts = [int((drawn[0] == pair).sum()) for pair in (1, 4, 2)]
    roots = np.sqrt([5, 3, 1])
    assert counts == pytest.approx(9000 * roots / roots.sum(), abs=200)


def test_pairs_without_any_loss_can_be_drawn():
    easy = Hardest.none().with_more(np.arange(4).reshape(2, 2), np.zeros(2, np.float32), keep=2)
    assert set(easy.draw(np.random.default_rng(1), 100)[0].tolist()) == {0, 1}
