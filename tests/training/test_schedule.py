"""Stages and learning rates of a recipe."""

from __future__ import annotations

import numpy as np
import pytest
from seq2sum_training import recipe
from seq2sum_training.fit.schedule import stages


def course(*overrides):
    settings = ("fit.steps=100", "fit.warm_up=10", "fit.learning_rate=0.5", "polish.rounds=2")
    settings += ("polish.steps=60", "polish.attempts=1")
    return stages(recipe.load("default", [*settings, *overrides]))


def test_a_run_is_fitted_and_then_polished():
    assert [(stage.name, stage.start, stage.end) for stage in course()] == [
        ("fit", 0, 100),
        ("polish 1", 100, 160),
        ("polish 2", 160, 220),
    ]
    assert [stage.polishes for stage in course()] == [False, True, True]


def test_later_attempts_go_through_the_same_stages_again():
    first, again = course(), course("polish.attempts=3")[3:6]
    assert [(stage.name, stage.start, stage.end) for stage in again] == [
        ("fit, attempt 2", 220, 320),
        ("polish 1, attempt 2", 320, 380),
        ("polish 2, attempt 2", 380, 440),
    ]
    assert {stage.attempt for stage in again} == {2}
    for one, other in zip(first, again, strict=True):
        rates = other.rates(range(other.start, other.end))
        assert rates.tolist() == one.rates(range(one.start, one.end)).tolist()
    names = [stage.name for stage in course("polish.attempts=3")]
    assert len(set(names)) == len(names) == 9


def test_the_seed_has_one_stage_at_one_rate():
    [stage] = stages(recipe.load("seed"))
    assert set(stage.rates(range(14_100)).tolist()) == {np.float32(1e-3)}
    assert stage.share == 0


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    rates = course()[0].rates(range(100))
    assert rates[:3].tolist() == pytest.approx([0.05, 0.1, 0.15])
    assert rates[9] == rates[10] == pytest.approx(0.5)
    assert rates[55] == pytest.approx(0.25)
    assert (np.diff(rates[10:]) < 0).all()
    assert 0 < rates[-1] < 1e-3


def test_a_round_of_polish_has_a_schedule_of_its_own():
    first, second = course("polish.learning_rate=0.1")[1:]
    assert first.rates(range(100, 160)).tolist() == second.rates(range(160, 220)).tolist()
    assert first.rates(range(100, 160)).max() == pytest.approx(0.1)


def test_rates_do_not_depend_on_how_steps_are_cut_into_blocks():
    stage = course()[0]
    parts = [stage.rates(range(start, start + 7)) for start in range(0, 98, 7)]
    assert np.concatenate(parts).tolist() == stage.rates(range(98)).tolist()
