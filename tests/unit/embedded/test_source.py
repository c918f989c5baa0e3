"""Which directories are versions, and what the source says of them."""

from __future__ import annotations

import logging

import pytest
from seq2sum_serving.embedded.config import ModelConfig
from seq2sum_serving.embedded.errors import StartupError
from seq2sum_serving.embedded.source import FileSystemSource
from seq2sum_serving.embedded.versions import Latest, aspired


def test_the_latest_versions_are_aspired():
    names = ["1", "2", "10", "tmp", "9x"]
    assert aspired(names, Latest()) == {10: "10"}
    assert aspired(names, Latest(2)) == {10: "10", 2: "2"}
    assert aspired(names, Latest(0)) == {10: "10"}
    assert aspired(["a"], Latest()) == {}


def test_of_two_spellings_of_a_number_the_last_one_counts():
    assert aspired(["1", "001"], Latest()) == {1: "1"}


class Said(dict):
    """What a source said, by model."""

    def __call__(self, model, versions):
        self[model] = versions


def source(*models):
    said = Said()
    return said, FileSystemSource(models, said)


def test_the_newest_directory_is_aspired(tmp_path):
    for name in ("1", "3", "3.tmp"):
        (tmp_path / name).mkdir()
    said, polled = source(ModelConfig("m", str(tmp_path)))
    polled.poll()
    assert said == {"m": {3: str(tmp_path / "3")}}


def test_a_base_path_without_versions_says_that_none_is_aspired(tmp_path, caplog):
    said, polled = source(ModelConfig("m", str(tmp_path)))
    polled.poll()
    assert said == {"m": {}}
    assert "No versions of servable m" in caplog.text


def test_a_saved_model_in_place_of_a_base_path_is_pointed_out(tmp_path, caplog):
    (tmp_path / "saved_model.pb").touch()
    _, polled = source(ModelConfig("m", str(tmp_path)))
    polled.poll()
    assert "it is a SavedModel itself" in caplog.text


def test_a_missing_base_path_ends_the_look_for_all_models(tmp_path, caplog):
    (tmp_path / "good" / "1").mkdir(parents=True)
    said, polled = source(
        ModelConfig("good", str(tmp_path / "good")), ModelConfig("gone", str(tmp_path / "gone"))
    )
    with caplog.at_level(logging.ERROR):
        polled.poll()
    assert said == {}
    assert "Could not find base path" in caplog.text
    (tmp_path / "gone").mkdir()
    polled.poll()
    assert set(said) == {"good", "gone"}


def test_a_relative_base_path_is_refused_in_tensorflow_servings_words():
    with pytest.raises(StartupError, match=r"absolute path or URI; got base_path\(\)=models/m"):
        ModelConfig("m", "models/m").check()
