"""The problem space, its split, and the batches drawn from it."""

from __future__ import annotations

import numpy as np
import pytest
from seq2sum.golden import read
from seq2sum_training import recipe
from seq2sum_training.data import carries
from seq2sum_training.data.batches import batches_of
from seq2sum_training.data.questions import all_pairs, held_out, questions, sums
from seq2sum_training.errors import UserError
from seq2sum_training.export import golden


@pytest.mark.slow
def test_all_pairs_has_every_pair_once():
    first, second = all_pairs(3)
    assert len(first) == 1_000_000
    assert len(np.unique(first * 1000 + second)) == 1_000_000


def test_questions_and_sums_are_decimal_text():
    first, second = np.array([53, 7, 999]), np.array([42, 0, 1])
    assert questions(first, second).tolist() == [b"53+42", b"7+0", b"999+1"]
    assert sums(first, second).tolist() == [b"95", b"7", b"1000"]


def test_held_out_is_symmetric():
    first, second = all_pairs(3)
    mask = held_out(first, second, share=0.1)
    assert (mask == held_out(second, first, share=0.1)).all()


@pytest.mark.parametrize("name", ["default", "fast"])
def test_training_mask_is_symmetric_and_independent_of_the_seed(name):
    """Both orders of a pair are on the same side, and a tenth of the pairs is held out."""
    chosen = recipe.load(name)
    batches = batches_of(chosen)
    first, second = all_pairs(3)
    trained = batches.training_mask(first, second)
    assert (trained == batches.training_mask(second, first)).all()
    assert (trained == ~held_out(first, second, share=chosen.data.held_out)).all()
    unordered = first <= second
    assert (~trained)[unordered].mean() >= 0.1
    # Another seed draws other batches, but holds out the same pairs.
    other = batches_of(recipe.load(name, ["seed=99"]))
    assert (trained == other.training_mask(first, second)).all()


def test_held_out_share_of_long_operands():
    random = np.random.default_rng(1)
    first, second = random.integers(0, 10**18, (2, 100_000))
    mask = held_out(first, second, share=0.1)
    assert (mask == held_out(second, first, share=0.1)).all()
    assert mask.mean() == pytest.approx(0.1, abs=0.005)


def test_held_out_share_of_short_operands():
    first, second = all_pairs(3)
    unordered = first <= second
    assert held_out(first[unordered], second[unordered], share=0.1).mean() == pytest.approx(
        0.1, abs=0.001
    )


def test_batches_have_no_held_out_pairs():
    batches = batches_of(recipe.load("default"))
    for step in range(300):
        first, second = batches.batch(step)
        assert len(first) == len(second) == 128
        assert batches.training_mask(first, second).all()


def test_batch_is_a_function_of_seed_and_step():
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
def test_recipe_that_holds_out_every_pair_is_refused(name, overrides):
    with pytest.raises(UserError, match="nothing to train on"):
        batches_of(recipe.load(name, overrides))


def test_batches_have_many_short_operands():
    batches = batches_of(recipe.load("default"))
    first = np.concatenate([batches.batch(step)[0] for step in range(100)])
    assert 0.12 < (first < 10).mean() < 0.25


def test_batches_have_the_recipes_share_of_carry_chains():
    def long_chains(share):
        batches = batches_of(recipe.load("default", ["digits=9", f"data.chains={share}"]))
        first, second = (
            np.concatenate(p) for p in zip(*map(batches.batch, range(50)), strict=True)
        )
        assert max(first.max(), second.max()) < 10**9
        return (carries.count(first, second, digits=9) >= 8).mean()

    assert long_chains(0.5) > 2 * long_chains(0.0)


def test_training_mask_of_a_fixed_data_set():
    batches = batches_of(recipe.load("seed"))
    first, second = all_pairs(3)
    mask = batches.training_mask(first, second)
    assert (mask == batches.training_mask(second, first)).all()
    assert mask[first <= second].sum() == 9000


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_golden_requests_are_distinct_with_true_sums(digits):
    expected = {r.inputs["questions"][0]: r.expect for r in golden.generate(digits)}
    assert len(expected) == len(golden.generate(digits))
    answered = {q: e["answers"][0] for q, e in expected.items() if "status" not in e}
    assert len(answered) >= min(1000, 100**digits)
    for question, answer in answered.items():
        first, second = map(int, question.split("+"))
        assert str(first + second) == answer
        assert max(first, second) < 10**digits
    refused = [each for question, each in expected.items() if question not in answered]
    assert {tuple(each["status"]) for each in refused} == {(1,), (2,)}
    assert all(each["answers"] == [""] for each in refused)


def test_golden_requests_are_written_as_they_are_read(tmp_path):
    requests = golden.generate(1)
    golden.write(tmp_path / golden.FILE_NAME, requests)
    assert list(read(tmp_path / golden.FILE_NAME)) == requests


def test_results_of_golden_requests_name_the_first_difference():
    requests = golden.generate(1)[-16:]  # the last sum, and what is refused
    assert [len(each.expect) for each in requests] == [1] + [2] * 15

    def predict(questions):
        statuses = [each.expect.get("status", [0])[0] for each in requests]
        answers = [each.expect["answers"][0].encode() for each in requests]
        assert questions == [each.inputs["questions"][0] for each in requests]
        return {"answers": np.array(answers, object), "status": np.array(statuses)}

    found = golden.results(requests, predict)
    assert found.all_right
    assert str(found) == "16 of 16 golden requests answered right"
    found = golden.results(requests, lambda asked: predict(asked) | {"status": np.zeros(16, int)})
    assert (found.right, found.all_right) == (1, False)
    assert "first wrong answer: '': status is 0 (expected 1)" in str(found)


def test_golden_requests_have_carry_chains():
    questions = {request.inputs["questions"][0] for request in golden.generate(3)}
    assert {"999+1", "1+999", "99+1", "990+10", "999+9", "999+999"} <= questions
