"""Publishing by rename: whole or not at all, and never over another version."""

from __future__ import annotations

import pytest
from seq2sum_training.errors import UserError
from seq2sum_training.export.versions import existing, number_for, publishing

HIGHEST = 2**63 - 1


def publish(base, version=None, content="model"):
    with publishing(base, version) as (staging, number):
        (staging / "saved_model.pb").write_text(content)
    return number


def test_versions_are_numbered_from_one_upwards(tmp_path):
    base = tmp_path / "new" / "seq2sum"
    assert [publish(base), publish(base), publish(base, 7), publish(base)] == [1, 2, 7, 8]
    assert existing(base) == [1, 2, 7, 8]


def test_what_no_server_takes_for_a_version_does_not_count(tmp_path):
    for name in ("٣", "9" * 20, "7.tmp", "v8"):
        (tmp_path / name).mkdir()
    assert publish(tmp_path) == 1


@pytest.mark.parametrize(("name", "following"), [("+3", 4), (" 4", 5), ("005", 6), ("-9", 1)])
def test_a_version_counts_however_its_directory_is_spelled(tmp_path, name, following):
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=f"version {int(name)} exists"):
        number_for(tmp_path, int(name))
    assert publish(tmp_path) == following


def test_while_it_is_prepared_no_child_has_a_number(tmp_path):
    with publishing(tmp_path, None) as (staging, number):
        assert staging.parent == tmp_path
        assert existing(tmp_path) == []
    assert existing(tmp_path) == [number]


def test_an_error_on_the_way_leaves_nothing(tmp_path):
    def fails_half_way(base):
        with publishing(base, None) as (staging, _):
            (staging / "half").touch()
            raise RuntimeError

    for base in (tmp_path, tmp_path / "new"):
        with pytest.raises(RuntimeError):
            fails_half_way(base)
        assert list(tmp_path.iterdir()) == []


def test_an_existing_version_is_refused_before_any_work(tmp_path):
    publish(tmp_path, 3, "first")
    with pytest.raises(UserError, match="version 3 exists"):
        publish(tmp_path, 3, "second")
    assert (tmp_path / "3" / "saved_model.pb").read_text() == "first"


@pytest.mark.parametrize("name", [str(HIGHEST), f"000{HIGHEST}"])
def test_there_is_no_next_version_after_the_highest_that_a_server_can_load(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="there is no next one: pass a free number with --version"):
        publish(tmp_path)
    with pytest.raises(UserError, match=f"version {HIGHEST} exists .* there is no next one"):
        publish(tmp_path, HIGHEST)
    assert publish(tmp_path, 12) == 12
    with pytest.raises(UserError, match="version 12 exists"):
        publish(tmp_path, 12)
    assert existing(tmp_path) == [12, HIGHEST]


def test_the_highest_version_can_be_published(tmp_path):
    (tmp_path / str(HIGHEST - 1)).mkdir()
    assert number_for(tmp_path, None) == publish(tmp_path) == HIGHEST


def test_the_loser_of_a_race_loses_cleanly(tmp_path):
    def comes_late():
        with publishing(tmp_path, 1) as (staging, _):
            (staging / "saved_model.pb").write_text("late")
            publish(tmp_path, 1, "early")

    with pytest.raises(UserError, match="version 1 exists"):
        comes_late()
    assert (tmp_path / "1" / "saved_model.pb").read_text() == "early"
    assert [entry.name for entry in tmp_path.iterdir()] == ["1"]
