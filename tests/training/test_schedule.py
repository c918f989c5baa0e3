"""Stages and learning rates of a recipe."""

from __future__ import annotations

import numpy as np
import pytest
from seq2sum_training import recipe
from seq2sum_training.fit.schedule import stages


def stages_of(*overrides):
    settings = ("fit.steps=100", "fit.warm_up=10", "fit.learning_rate=0.5", "polish.rounds=2")
    settings += ("polish.steps=60", "polish.attempts=1")
    return stages(recipe.load("default", [*settings, *overrides]))


def test_stages_are_fit_and_then_polish():
    assert [(stage.name, stage.start, stage.end) for stage in stages_of()] == [
        ("fit", 0, 100),
        ("polish 1", 100, 160),
        ("polish 2", 160, 220),
    ]
    assert [stage.is_polish for stage in stages_of()] == [False, True, True]


def test_later_attempts_repeat_the_stages():
    first, second = stages_of(), stages_of("polish.attempts=3")[3:6]
    assert [(stage.name, stage.start, stage.end) for stage in second] == [
        ("fit, attempt 2", 220, 320),
        ("polish 1, attempt 2", 320, 380),
        ("polish 2, attempt 2", 380, 440),
    ]
    assert {stage.attempt for stage in second} == {2}
    for a, b in zip(first, second, strict=True):
        rates = b.rates(range(b.start, b.end))
        assert rates.tolist() == a.rates(range(a.start, a.end)).tolist()
    names = [stage.name for stage in stages_of("polish.attempts=3")]
    assert len(set(names)) == len(names) == 9


def test_seed_recipe_has_one_stage_with_a_constant_rate():
    [stage] = stages(recipe.load("seed"))
    assert set(stage.rates(range(14_100)).tolist()) == {np.float32(1e-3)}
    assert stage.hard_share == 0


def test_rate_has_a_linear_warm_up_and_a_cosine_decay():
    rates = stages_of()[0].rates(range(100))
    assert rates[:3].tolist() == pytest.approx([0.05, 0.1, 0.15])
    assert rates[9] == rates[10] == pytest.approx(0.5)
    assert rates[55] == pytest.approx(0.25)
    assert (np.diff(rates[10:]) < 0).all()
    assert 0 < rates[-1] < 1e-3


def test_polish_rounds_have_equal_schedules():
    first, second = stages_of("polish.learning_rate=0.1")[1:]
    assert first.rates(range(100, 160)).tolist() == second.rates(range(160, 220)).tolist()
    assert first.rates(range(100, 160)).max() == pytest.approx(0.1)


def test_rates_are_independent_of_block_boundaries():
    stage = stages_of()[0]
    parts = [stage.rates(range(start, start + 7)) for start in range(0, 98, 7)]
    assert np.concatenate(parts).tolist() == stage.rates(range(98)).tolist()
