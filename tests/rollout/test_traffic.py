"""Traffic weights: a file that the SDK reads and that changes as a whole."""

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
def test_stable_gets_the_rest(percent, weights):
    assert canary_weights(percent) == weights


def test_missing_file_sends_everything_to_stable(traffic):
    assert traffic.read() == ALL_STABLE


@pytest.mark.parametrize("percent", [0, 5, 100])
def test_weights_are_read_back_here_and_by_the_sdk(traffic, percent):
    traffic.write(canary_weights(percent))
    assert traffic.read() == canary_weights(percent)
    assert seq2sum.SplitFile(traffic.path).weights == canary_weights(percent)
    assert [entry.name for entry in traffic.path.parent.iterdir()] == ["traffic.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "invalid traffic weights"),
        ("[]", "invalid traffic weights"),
        ('{"stable": 1e999}', "invalid traffic weights"),
        ('{"stable": "all"}', "invalid traffic weights"),
        ('{"stable": NaN}', "invalid traffic weights"),
        ('{"stable": -1}', "invalid traffic weights"),
        ('{"stable": true}', "invalid traffic weights"),
        pytest.param(f'{{"stable": 1{"0" * 400}}}', "invalid traffic weights", id="too large"),
        pytest.param("[" * 100_000, "invalid traffic weights", id="too deep"),
    ],
)
def test_invalid_weights_are_refused(traffic, text, message):
    traffic.path.write_text(text)
    with pytest.raises(UsageError, match=message):
        traffic.read()


def test_full_disk_keeps_the_old_weights(traffic, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    traffic.write(canary_weights(5))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Failed, match=r"No space left on device\. They are unchanged"):
        traffic.write(ALL_STABLE)
    assert traffic.read() == canary_weights(5)
    assert [entry.name for entry in traffic.path.parent.iterdir()] == ["traffic.json"]
