"""Weights are what the SDK reads, and change as a whole."""

from __future__ import annotations

import os

import pytest
import seq2sum
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.traffic import ALL_STABLE, TrafficFile, canary_weights


@pytest.fixture
def traffic(tmp_path):
    return TrafficFile(tmp_path / "traffic.json")


@pytest.mark.parametrize(
    ("percent", "weights"),
    [
        (0, ALL_STABLE),
        (-1, ALL_STABLE),
        (5, {"stable": 95, "canary": 5}),
        (2.5, {"stable": 97.5, "canary": 2.5}),
        (100, {"stable": 0, "canary": 100}),
    ],
)
def test_what_does_not_go_to_the_canary_goes_to_stable(percent, weights):
    assert canary_weights(percent) == weights


def test_without_a_file_all_of_it_goes_to_stable(traffic):
    assert traffic.read() == ALL_STABLE


@pytest.mark.parametrize("percent", [0, 5, 100])
def test_weights_are_read_back_and_the_sdk_reads_them_too(traffic, percent):
    traffic.write(canary_weights(percent))
    assert traffic.read() == canary_weights(percent)
    assert seq2sum.SplitFile(traffic.path).weights == canary_weights(percent)
    assert [entry.name for entry in traffic.path.parent.iterdir()] == ["traffic.json"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot read the weights"),
        ("[]", "holds no weights"),
        ('{"stable": "all"}', "holds no weights"),
        ('{"stable": NaN}', "holds no weights"),
        ('{"stable": -1}', "holds no weights"),
        ('{"stable": true}', "holds no weights"),
        pytest.param(f'{{"stable": 1{"0" * 400}}}', "holds no weights", id="too large"),
        pytest.param("[" * 100_000, "cannot read the weights", id="too deep"),
    ],
)
def test_what_is_no_weights_is_a_mistake(traffic, text, said):
    traffic.path.write_text(text)
    with pytest.raises(UsageError, match=said):
        traffic.read()


def test_weights_that_cannot_be_written_stay_as_they_were(traffic, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    traffic.write(canary_weights(5))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Failed, match=r"No space left on device\. They are as they were"):
        traffic.write(ALL_STABLE)
    assert traffic.read() == canary_weights(5)
    assert [entry.name for entry in traffic.path.parent.iterdir()] == ["traffic.json"]
