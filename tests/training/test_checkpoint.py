"""Checkpoints and histories on disk: whole, or told as what they are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from seq2sum_training import recipe
from seq2sum_training.atomic_file import whole
from seq2sum_training.errors import UserError
from seq2sum_training.fit import checkpoint, history
from seq2sum_training.fit.history import Progress

STATE = {"step": np.array(50), "last/0": np.array([[1.5, -2.0]], np.float32)}
ROW = Progress(50, "fit", 1.5, 0.25, 1e-3, 1000.0, 3.5)


@pytest.fixture
def default():
    return recipe.load("default")


def test_a_checkpoint_comes_back_as_it_was(tmp_path, default):
    checkpoint.save(tmp_path, default, STATE)
    found = checkpoint.load(tmp_path, default)
    assert found.keys() == STATE.keys()
    for name, value in STATE.items():
        assert found[name].dtype == value.dtype
        assert (found[name] == value).all()
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_no_checkpoint_is_none(tmp_path, default):
    assert checkpoint.load(tmp_path, default) is None


def test_a_checkpoint_of_another_recipe_is_refused_with_what_differs(tmp_path, default):
    checkpoint.save(tmp_path, default, STATE)
    other = recipe.load("default", ["fit.batch=64", "layout=reversed"])
    with pytest.raises(UserError, match="belongs to another recipe") as caught:
        checkpoint.load(tmp_path, other)
    assert "fit.batch was 128 and is 64" in str(caught.value)
    assert "layout was aligned and is reversed" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", "half"])
def test_a_damaged_checkpoint_is_told_as_such(tmp_path, default, content):
    checkpoint.save(tmp_path, default, STATE)
    path = tmp_path / checkpoint.FILE_NAME
    whole_one = path.read_bytes()
    path.write_bytes(whole_one[: len(whole_one) // 2] if content == "half" else content)
    with pytest.raises(UserError, match="is damaged"):
        checkpoint.load(tmp_path, default)


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "figures.json"
    path.write_text("before")

    def fail():
        with whole(path) as partial:
            partial.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"cannot write .*figures.json: No space left on device"):
        fail()
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["figures.json"]


def test_a_history_comes_back_up_to_a_step(tmp_path):
    path = tmp_path / "history.csv"
    rows = [dataclasses.replace(ROW, step=step) for step in (50, 100, 150)]
    for row in rows:
        history.append(path, row)
    assert history.read(path) == rows
    assert history.read(path, last_step=100) == rows[:2]
    history.write(path, rows[:1])
    assert history.read(path) == rows[:1]


def test_a_torn_row_ends_a_history(tmp_path):
    path = tmp_path / "history.csv"
    history.append(path, ROW)
    with path.open("a") as file:
        file.write("100,fit,0.5")
    assert history.read(path) == [ROW]
    assert history.read(tmp_path / "none.csv") == []


def test_events_for_tensorboard_are_the_history(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    folder = tmp_path / "tensorboard"
    first = history.Events(folder, [])
    first.add(ROW)
    first.add(dataclasses.replace(ROW, step=100))
    first.close()
    # After a resume from step 50 there is no second step 100.
    again = history.Events(folder, [ROW])
    again.add(dataclasses.replace(ROW, step=100, loss=0.5))
    again.close()
    events = EventAccumulator(str(folder)).Reload()
    losses = [(e.step, make_ndarray(e.tensor_proto)) for e in events.Tensors("training/loss")]
    assert losses == [(50, 1.5), (100, 0.5)]
    assert len(events.Tags()["tensors"]) == 5
