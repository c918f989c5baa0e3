"""Which directories are versions, and what the source says of them."""

from __future__ import annotations

import logging

import pytest
from seq2sum_serving.embedded.lifecycle.source import FileSystemSource, Monitored
from seq2sum_serving.embedded.lifecycle.versions import (
    All,
    Latest,
    Specific,
    aspired,
)


def test_the_latest_versions_are_aspired():
    names = ["1", "2", "10", "tmp", "9x"]
    assert aspired(names, Latest()) == {10: "10"}
    assert aspired(names, Latest(2)) == {10: "10", 2: "2"}
    assert aspired(names, Latest(0)) == {10: "10"}
    assert aspired(["a"], Latest()) == {}


def test_all_versions_are_aspired():
    assert aspired(["1", "x", "3"], All()) == {3: "3", 1: "1"}


def test_specific_versions_are_aspired_as_far_as_they_are_there():
    assert aspired(["1", "2", "3"], Specific(frozenset({1, 2, 5}))) == {2: "2", 1: "1"}
    assert aspired(["1"], Specific(frozenset())) == {}


def test_names_are_read_as_the_real_server_reads_them():
    names = ["00000123", "+6", " 7", "8\n", "-3", "1.tmp", "v1", "+9x"]
    wanted = {123: "00000123", 8: "8\n", 7: " 7", 6: "+6", -3: "-3"}
    assert aspired(names, All()) == wanted


def test_of_two_spellings_of_a_number_the_last_one_counts():
    assert aspired(["1", "001"], Latest()) == {1: "1"}


class Said(dict):
    """What a source said, by model."""

    def __call__(self, model, versions):
        self[model] = versions


def source(**base_paths):
    said = Said()
    made = FileSystemSource(said)
    made.update({name: Monitored(str(path), Latest()) for name, path in base_paths.items()})
    return said, made


def test_the_newest_directory_is_aspired(tmp_path):
    for name in ("1", "3", "3.tmp"):
        (tmp_path / name).mkdir()
    said, polled = source(m=tmp_path)
    polled.poll()
    assert said == {"m": {3: str(tmp_path / "3")}}


def test_a_base_path_without_versions_says_that_none_is_aspired(tmp_path, caplog):
    said, polled = source(m=tmp_path)
    polled.poll()
    assert said == {"m": {}}
    assert "No versions of servable m" in caplog.text


def test_a_saved_model_in_place_of_a_base_path_is_pointed_out(tmp_path, caplog):
    (tmp_path / "saved_model.pb").touch()
    _, polled = source(m=tmp_path)
    polled.poll()
    assert "it is a SavedModel itself" in caplog.text


def test_a_missing_base_path_ends_the_look_for_all_models(tmp_path, caplog):
    (tmp_path / "good" / "1").mkdir(parents=True)
    said, polled = source(good=tmp_path / "good", gone=tmp_path / "gone")
    with caplog.at_level(logging.ERROR):
        polled.poll()
    assert said == {}
    assert "Could not find base path" in caplog.text
    (tmp_path / "gone").mkdir()
    polled.poll()
    assert set(said) == {"good", "gone"}


def test_the_same_error_is_not_logged_at_every_poll(tmp_path, caplog):
    _, polled = source(gone=tmp_path / "gone")
    for _ in range(50):
        polled.poll()
    assert len(caplog.records) == 1
    (tmp_path / "gone").mkdir()  # another message
    for _ in range(50):
        polled.poll()
    assert len(caplog.records) == 2
    (tmp_path / "gone").rmdir()  # the first one again, which has become news
    polled.poll()
    assert len(caplog.records) == 3


def test_a_file_uri_is_a_local_folder_and_stays_a_uri(tmp_path):
    (tmp_path / "1").mkdir()
    said, polled = source(m=f"file://{tmp_path}")
    polled.poll()
    assert said == {"m": {1: f"file://{tmp_path}/1"}}


@pytest.mark.parametrize("scheme", ["FILE", "nope"])
def test_another_scheme_is_an_error_that_names_it(scheme, tmp_path, caplog):
    said, polled = source(m=f"{scheme}://{tmp_path}")
    polled.poll()
    assert said == {}
    assert f"File system scheme '{scheme}' not implemented" in caplog.text


def test_models_that_are_left_out_lose_their_versions_without_a_look(tmp_path):
    said, polled = source(stays=tmp_path, goes=tmp_path)
    polled.update({"stays": Monitored(str(tmp_path), Latest())})
    assert said == {"goes": {}}
