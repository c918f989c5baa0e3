"""Checkpoints and histories on disk."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from seq2sum_training import recipe
from seq2sum_training.atomic_file import atomic_write
from seq2sum_training.errors import UserError
from seq2sum_training.fit import checkpoint, history
from seq2sum_training.fit.history import HistoryRow

STATE = {"step": np.array(50), "last/0": np.array([[1.5, -2.0]], np.float32)}
ROW = HistoryRow(50, "fit", 1.5, 0.25, 1e-3, 1000.0, 3.5)


@pytest.fixture
def default():
    return recipe.load("default")


def test_load_returns_the_saved_state(tmp_path, default):
    checkpoint.save(tmp_path, default, STATE)
    loaded = checkpoint.load(tmp_path, default)
    assert loaded.keys() == STATE.keys()
    for name, value in STATE.items():
        assert loaded[name].dtype == value.dtype
        assert (loaded[name] == value).all()
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_load_without_a_checkpoint_returns_none(tmp_path, default):
    assert checkpoint.load(tmp_path, default) is None


def test_load_refuses_a_checkpoint_of_another_recipe_and_names_the_differences(tmp_path, default):
    checkpoint.save(tmp_path, default, STATE)
    other = recipe.load("default", ["fit.batch=64", "layout=reversed"])
    with pytest.raises(UserError, match="belongs to another recipe") as caught:
        checkpoint.load(tmp_path, other)
    assert "fit.batch was 128 and is now 64" in str(caught.value)
    assert "layout was aligned and is now reversed" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", "half"])
def test_load_reports_a_damaged_checkpoint(tmp_path, default, content):
    checkpoint.save(tmp_path, default, STATE)
    path = tmp_path / checkpoint.FILE_NAME
    content_before = path.read_bytes()
    path.write_bytes(content_before[: len(content_before) // 2] if content == "half" else content)
    with pytest.raises(UserError, match="is damaged"):
        checkpoint.load(tmp_path, default)


def test_failed_atomic_write_keeps_the_existing_file(tmp_path):
    path = tmp_path / "figures.json"
    path.write_text("before")

    def fail():
        with atomic_write(path) as partial:
            partial.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"cannot write .*figures.json: No space left on device"):
        fail()
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["figures.json"]


def test_history_is_read_up_to_a_step(tmp_path):
    path = tmp_path / "history.csv"
    rows = [dataclasses.replace(ROW, step=step) for step in (50, 100, 150)]
    for row in rows:
        history.append(path, row)
    assert history.read(path) == rows
    assert history.read(path, last_step=100) == rows[:2]
    history.write(path, rows[:1])
    assert history.read(path) == rows[:1]


def test_history_ends_at_a_partial_row(tmp_path):
    path = tmp_path / "history.csv"
    history.append(path, ROW)
    with path.open("a") as file:
        file.write("100,fit,0.5")
    assert history.read(path) == [ROW]
    assert history.read(tmp_path / "none.csv") == []


@pytest.mark.tensorflow
def test_tensorboard_events_have_the_metrics_of_the_history(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    folder = tmp_path / "tensorboard"
    events = history.Events(folder, [])
    events.add(ROW)
    events.add(dataclasses.replace(ROW, step=100))
    events.close()
    # A run that resumes from step 50 replaces step 100.
    resumed = history.Events(folder, [ROW])
    resumed.add(dataclasses.replace(ROW, step=100, loss=0.5))
    resumed.close()
    stored = EventAccumulator(str(folder)).Reload()
    losses = [(e.step, make_ndarray(e.tensor_proto)) for e in stored.Tensors("training/loss")]
    assert losses == [(50, 1.5), (100, 0.5)]
    assert len(stored.Tags()["tensors"]) == 5
