"""Version directories, and the versions that the source reports as aspired."""

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


def test_latest_versions_are_aspired():
    names = ["1", "2", "10", "tmp", "9x"]
    assert aspired(names, Latest()) == {10: "10"}
    assert aspired(names, Latest(2)) == {10: "10", 2: "2"}
    assert aspired(names, Latest(0)) == {10: "10"}
    assert aspired(["a"], Latest()) == {}


def test_all_versions_are_aspired():
    assert aspired(["1", "x", "3"], All()) == {3: "3", 1: "1"}


def test_specific_versions_are_aspired_as_far_as_they_exist():
    assert aspired(["1", "2", "3"], Specific(frozenset({1, 2, 5}))) == {2: "2", 1: "1"}
    assert aspired(["1"], Specific(frozenset())) == {}


def test_names_are_parsed_as_by_the_real_server():
    names = ["00000123", "+6", " 7", "8\n", "-3", "1.tmp", "v1", "+9x"]
    expected = {123: "00000123", 8: "8\n", 7: " 7", 6: "+6", -3: "-3"}
    assert aspired(names, All()) == expected


def test_last_of_two_spellings_of_a_number_is_used():
    assert aspired(["1", "001"], Latest()) == {1: "1"}


class Aspired(dict):
    """The aspired versions that a source reported, by model."""

    def __call__(self, model, versions):
        self[model] = versions


def source(**base_paths):
    reported = Aspired()
    made = FileSystemSource(reported)
    made.update({name: Monitored(str(path), Latest()) for name, path in base_paths.items()})
    return reported, made


def test_newest_directory_is_aspired(tmp_path):
    for name in ("1", "3", "3.tmp"):
        (tmp_path / name).mkdir()
    reported, polled = source(m=tmp_path)
    polled.poll()
    assert reported == {"m": {3: str(tmp_path / "3")}}


def test_base_path_without_versions_aspires_none(tmp_path, caplog):
    reported, polled = source(m=tmp_path)
    polled.poll()
    assert reported == {"m": {}}
    assert "No versions of servable m" in caplog.text


def test_saved_model_as_a_base_path_is_pointed_out(tmp_path, caplog):
    (tmp_path / "saved_model.pb").touch()
    _, polled = source(m=tmp_path)
    polled.poll()
    assert "it is a SavedModel itself" in caplog.text


def test_missing_base_path_ends_the_poll_for_all_models(tmp_path, caplog):
    (tmp_path / "good" / "1").mkdir(parents=True)
    reported, polled = source(good=tmp_path / "good", gone=tmp_path / "gone")
    with caplog.at_level(logging.ERROR):
        polled.poll()
    assert reported == {}
    assert "Could not find base path" in caplog.text
    (tmp_path / "gone").mkdir()
    polled.poll()
    assert set(reported) == {"good", "gone"}


def test_repeated_error_is_not_logged_at_every_poll(tmp_path, caplog):
    _, polled = source(gone=tmp_path / "gone")
    for _ in range(50):
        polled.poll()
    assert len(caplog.records) == 1
    (tmp_path / "gone").mkdir()  # a different message
    for _ in range(50):
        polled.poll()
    assert len(caplog.records) == 2
    (tmp_path / "gone").rmdir()  # the first message again, after a different one
    polled.poll()
    assert len(caplog.records) == 3


def test_file_uri_is_a_local_folder_and_stays_a_uri(tmp_path):
    (tmp_path / "1").mkdir()
    reported, polled = source(m=f"file://{tmp_path}")
    polled.poll()
    assert reported == {"m": {1: f"file://{tmp_path}/1"}}


@pytest.mark.parametrize("scheme", ["FILE", "nope"])
def test_other_scheme_is_an_error_that_names_it(scheme, tmp_path, caplog):
    reported, polled = source(m=f"{scheme}://{tmp_path}")
    polled.poll()
    assert reported == {}
    assert f"File system scheme '{scheme}' not implemented" in caplog.text


def test_removed_models_lose_their_versions_before_the_next_poll(tmp_path):
    reported, polled = source(stays=tmp_path, goes=tmp_path)
    polled.update({"stays": Monitored(str(tmp_path), Latest())})
    assert reported == {"goes": {}}
