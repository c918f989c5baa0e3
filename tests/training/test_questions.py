"""The problem space, its split, and the batches drawn from it."""

from __future__ import annotations

import numpy as np
import pytest
from seq2sum_training import recipe
from seq2sum_training.data import carries
from seq2sum_training.data.batches import batches_of
from seq2sum_training.data.questions import every_pair, held_out, questions, sums
from seq2sum_training.errors import UserError
from seq2sum_training.export.golden import golden


def test_every_pair_is_there_once():
    first, second = every_pair(3)
    assert len(first) == 1_000_000
    assert len(np.unique(first * 1000 + second)) == 1_000_000


def test_questions_and_sums_are_as_people_write_them():
    first, second = np.array([53, 7, 999]), np.array([42, 0, 1])
    assert questions(first, second).tolist() == [b"53+42", b"7+0", b"999+1"]
    assert sums(first, second).tolist() == [b"95", b"7", b"1000"]


def test_both_orders_of_a_pair_are_on_the_same_side():
    first, second = every_pair(3)
    away = held_out(first, second, share=0.1)
    assert (away == held_out(second, first, share=0.1)).all()


@pytest.mark.parametrize("name", ["default", "fast"])
def test_the_split_cannot_leak(name):
    """Every pair is on one side, in both orders, and a tenth of them is never trained on."""
    chosen = recipe.load(name)
    batches = batches_of(chosen)
    first, second = every_pair(3)
    trained = batches.trained(first, second)
    assert (trained == batches.trained(second, first)).all()
    assert (trained == ~held_out(first, second, share=chosen.data.held_out)).all()
    once = first <= second
    assert (~trained)[once].mean() >= 0.1
    # Another seed trains on other draws, and holds out the same pairs.
    other = batches_of(recipe.load(name, ["seed=99"]))
    assert (trained == other.trained(first, second)).all()


def test_long_operands_are_split_too():
    random = np.random.default_rng(1)
    first, second = random.integers(0, 10**18, (2, 100_000))
    away = held_out(first, second, share=0.1)
    assert (away == held_out(second, first, share=0.1)).all()
    assert away.mean() == pytest.approx(0.1, abs=0.005)


def test_about_the_share_asked_for_is_held_out():
    first, second = every_pair(3)
    once = first <= second
    assert held_out(first[once], second[once], share=0.1).mean() == pytest.approx(0.1, abs=0.001)


def test_no_batch_has_a_held_out_pair():
    batches = batches_of(recipe.load("default"))
    for step in range(300):
        first, second = batches.batch(step)
        assert len(first) == len(second) == 128
        assert batches.trained(first, second).all()


def test_a_batch_depends_on_seed_and_step_alone():
    def draw(seed, step):
        return np.stack(batches_of(recipe.load("default", [f"seed={seed}"])).batch(step))

    assert (draw(1, 5) == draw(1, 5)).all()
    assert (draw(1, 5) != draw(1, 6)).any()
    assert (draw(1, 5) != draw(2, 5)).any()


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("default", ["digits=1", "data.held_out=0.9999"]),
        ("seed", ["data.questions=1", "data.validation=0.9", "fit.steps=1"]),
    ],
)
def test_a_recipe_with_nothing_to_train_on_is_refused(name, overrides):
    with pytest.raises(UserError, match="nothing to train on"):
        batches_of(recipe.load(name, overrides))


def test_short_operands_are_drawn_often():
    batches = batches_of(recipe.load("default"))
    first = np.concatenate([batches.batch(step)[0] for step in range(100)])
    assert 0.12 < (first < 10).mean() < 0.25


def test_a_recipe_may_ask_for_carry_chains():
    def long_chains(share):
        batches = batches_of(recipe.load("default", ["digits=9", f"data.chains={share}"]))
        first, second = (
            np.concatenate(p) for p in zip(*map(batches.batch, range(50)), strict=True)
        )
        assert max(first.max(), second.max()) < 10**9
        return (carries.count(first, second, digits=9) >= 8).mean()

    assert long_chains(0.5) > 2 * long_chains(0.0)


def test_a_fixed_data_set_knows_what_it_trained_on():
    batches = batches_of(recipe.load("seed"))
    first, second = every_pair(3)
    seen = batches.trained(first, second)
    swapped = batches.trained(second, first)
    assert (seen == swapped).all()
    assert seen[first <= second].sum() == 9000


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_golden_questions_are_true_distinct_and_enough(digits):
    known = golden(digits)
    assert len(known["questions"]) == len(known["answers"])
    assert len(set(known["questions"])) == len(known["questions"]) >= min(1000, 100**digits)
    for question, answer in zip(known["questions"], known["answers"], strict=True):
        first, second = map(int, question.split("+"))
        assert str(first + second) == answer
        assert max(first, second) < 10**digits
    assert 0 not in known["refused"].values()
    assert {1, 2} == set(known["refused"].values())


def test_golden_questions_have_the_carry_chains():
    assert {"999+1", "1+999", "99+1", "990+10", "999+9", "999+999"} <= set(golden(3)["questions"])
