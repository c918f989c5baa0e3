"""The course of a run: stages, checks, hard examples, and going on from any of its states."""

from __future__ import annotations

import math

import numpy as np
import pytest
from seq2sum_training import recipe
from seq2sum_training.data.batches import batches_of
from seq2sum_training.data.hard_examples import Hardest
from seq2sum_training.data.questions import every_pair
from seq2sum_training.errors import Astray
from seq2sum_training.fit.checks import Best, Check
from seq2sum_training.fit.history import Progress
from seq2sum_training.fit.trainer import Grades, Trainer
from seq2sum_training.fit.training_loop import SLOWEST, Course

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
    "polish.hardest=20",
    "polish.attempts=1",
    # Out of reach: the course goes through all rounds.
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


class Scripted:
    """A trainer whose checks find as many wrong answers as planned; its weights are round numbers.

    The weights are [0] after the steps of fit, [1] after the first round of polish and so on.
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
        if len(first) < 100:  # a check: a probe and a search ask more
            right[: self.wrong.pop(0)] = False
        return Grades(right, np.where(right, 0.1, 3.0).astype(np.float32))

    def weights(self):
        return [np.array([max(0, self.steps - 300) // 100])]

    def begin_again(self, weights):
        self.started_from.append(int(weights[0][0]))

    def initial_weights(self, attempt):
        return [np.array([-attempt])]

    def state(self):
        return {"steps": np.array(self.steps)}


def followed(trainer, *overrides):
    chosen = recipe.load("fast", [*SETTINGS, "polish.largest_loss=0.4", *overrides])
    ended = Course(chosen, batches_of(chosen), trainer)
    for _ in ended.run():
        pass
    return ended


def test_rounds_of_polish_start_from_the_best_weights_and_the_run_keeps_them():
    trainer = Scripted(9, 4, 7, 5, 2, 6)
    ended = followed(trainer, "polish.rounds=5")
    assert trainer.started_from == [0, 1, 1, 1, 4, 4]  # the last of them is what is saved
    assert (ended.check.wrong, ended.check.failed, ended.check.clean) == (2, 2, False)
    assert [pair.tolist() for pair in ended._best.weights] == [[4]]


def test_a_clean_check_in_a_late_round_ends_the_course():
    trainer = Scripted(9, 12, 0)
    ended = followed(trainer, "polish.rounds=5")
    assert trainer.started_from == [0, 0, 2]
    assert ended.check.clean
    assert ended.step == 500


def test_rounds_slow_down_after_each_that_improved_nothing_and_then_start_over():
    """A slow round that improves keeps its rate."""
    misses = [9] * SLOWEST
    trainer = Scripted(9, 8, 9, 7, *misses, 6, 9)
    followed(trainer, f"polish.rounds={len(misses) + 5}", "polish.learning_rate=1e-3")
    peaks = np.array(trainer.rates[6::2])  # the first block of a round holds its peak
    slower = [0, 0, 1, 1, *range(2, SLOWEST), 0, 1, 1]
    assert peaks / peaks[0] == pytest.approx([0.5**n for n in slower])


def test_an_attempt_without_a_clean_check_is_followed_by_one_from_other_weights():
    """Its rounds start from its own best weights; the run keeps the best of all attempts."""
    trainer = Scripted(9, 4, 7, 5, 8, 6)
    ended = followed(trainer, "polish.rounds=1", "polish.attempts=3")
    assert trainer.started_from == [0, -2, 4, -3, 8, 1]
    assert ended.check.wrong == 4
    assert ended.step == 1200


def test_the_check_after_the_last_round_of_an_attempt_may_be_clean():
    trainer = Scripted(9, 0)
    ended = followed(trainer, "polish.rounds=1", "polish.attempts=3")
    assert trainer.started_from == [0, 1]
    assert ended.check.clean


def test_attempts_start_from_weights_of_their_own(another_trainer):
    """The same ones for the same seed and attempt, however often they are drawn."""
    second, third = (another_trainer.initial_weights(attempt) for attempt in (2, 3))
    again = another_trainer.initial_weights(2)
    assert all((one == other).all() for one, other in zip(second, again, strict=True))
    assert not (second[0] == third[0]).any()
    assert [w.shape for w in second] == [w.shape for w in another_trainer.weights()]


def test_a_course_goes_on_within_a_later_attempt(another_trainer):
    overrides = ("fit.steps=150", "polish.rounds=1", "polish.attempts=2")
    chosen = recipe.load("fast", [*SETTINGS, *overrides])
    going, states = course(*overrides), {}
    for event in going.run():
        if isinstance(event, Progress):
            states[event.step] = going.state()
    assert max(states) == 500
    for step in (250, 300, 450):
        again = Course(chosen, batches_of(chosen), another_trainer)
        again.restore(states[step])
        for _ in again.run():
            pass
        assert again.check == going.check
        for one, other in zip(weights(going), weights(again), strict=True):
            assert (one == other).all()


def test_a_round_that_diverges_costs_no_more_than_that_round():
    trainer = Scripted(9, 80, 0)
    trainer.losses = {350: math.nan, 400: math.nan}
    ended = followed(trainer, "polish.rounds=5")
    assert trainer.started_from == [0, 0, 2]
    assert ended.check.clean


def test_the_best_weights_survive_a_state():
    best = Best(Check(of=80, asked=80, failed=3, wrong=1, largest=2.5), [np.array([1.5, 2])], 4)
    again = Best.restored("best", best.state("best"))
    assert (again.check, again.misses) == (best.check, 4)
    assert [weights.tolist() for weights in again.weights] == [[1.5, 2]]
    assert Best.restored("earlier", best.state("best")) is None


def test_wrong_answers_count_more_than_large_losses():
    few_wrong = Check(of=80, asked=80, failed=9, wrong=1, largest=9.0)
    assert few_wrong.rank < Check(of=80, asked=80, failed=2, wrong=2, largest=0.9).rank
    assert few_wrong.rank > Check(of=80, asked=80, failed=8, wrong=1, largest=9.9).rank


def test_a_course_that_stops_at_its_target_has_no_check():
    going = course("fit.stop_at=0.3")
    assert [event for event in going.run() if isinstance(event, Check)] == []
    assert going.check is None


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
    assert check.summary()["largest"] is None  # JSON has no infinity


class NoNumbers:
    """A trainer whose every grade is no number."""

    def __init__(self, trainer):
        self.trainer = trainer

    def grade(self, first, second):
        grades = self.trainer.grade(first, second)
        return grades._replace(loss=np.full(len(first), np.nan, np.float32))

    def weights(self):
        return self.trainer.weights()


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
