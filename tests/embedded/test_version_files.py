"""Versions with inaccessible files: broken links and circular links."""

from __future__ import annotations

import os

import pytest
from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.inference import version_files
from support.serving_errors import refusal

RESERVING = "Error while attempting to reserve resources to load servable {name: m version: 1}: "


@pytest.fixture
def version(tmp_path):
    folder = tmp_path / "1"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    return folder


def failure(version):
    code, message = refusal(version_files.check, "m", 1, str(version))
    assert message.startswith(RESERVING)
    return code, message.removeprefix(RESERVING)


def test_valid_links_are_followed(version, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (version / "assets").symlink_to(tmp_path / "elsewhere")
    (version / "link.pb").symlink_to("saved_model.pb")
    version_files.check("m", 1, str(version))
    version_files.check("m", 1, f"file://{version}")


def test_a_missing_version_folder_is_not_found(tmp_path):
    (tmp_path / "1").symlink_to("/nothere")
    (tmp_path / "2").symlink_to("2")
    for name in ("1", "2", "3"):
        assert failure(tmp_path / name) == (Code.NOT_FOUND, f"{tmp_path / name} not found")


def test_a_file_in_place_of_a_version_folder_is_refused(tmp_path):
    (tmp_path / "1").touch()
    assert failure(tmp_path / "1") == (
        Code.FAILED_PRECONDITION,
        f"{tmp_path / '1'}; Not a directory",
    )


def test_a_broken_link_at_any_depth_fails_the_version(version):
    link = version / "variables" / "variables.index"
    link.symlink_to("nothere")
    assert failure(version) == (Code.NOT_FOUND, f"{link}; No such file or directory")
    assert failure(f"file://{version}") == (
        Code.NOT_FOUND,
        f"file://{link}; No such file or directory",
    )


def test_circular_links_fail_the_version(version):
    (version / "loop").symlink_to("loop")
    assert failure(version) == (
        Code.UNKNOWN,
        f"{version / 'loop'}; Too many levels of symbolic links",
    )


def test_a_link_to_its_own_folder_fails_at_the_systems_limit(version):
    (version / "loop").symlink_to(".")
    assert failure(version) == (
        Code.UNKNOWN,
        f"{version}{'/loop' * 41}; Too many levels of symbolic links",
    )


@pytest.mark.slow
def test_links_that_multiply_files_are_refused_early(version):
    (version / "a").symlink_to(".")
    (version / "b").symlink_to(".")
    code, message = failure(version)
    assert code is Code.RESOURCE_EXHAUSTED
    assert "more than 100000 files" in message


def test_a_name_that_is_not_utf_8_is_reported(version):
    (version / os.fsdecode(b"\xff")).symlink_to("nothere")
    assert failure(version)[1].encode() == (
        f"{version}/\N{REPLACEMENT CHARACTER}; No such file or directory".encode()
    )
