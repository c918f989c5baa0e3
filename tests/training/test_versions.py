"""Version directories: numbering, and publication by rename."""

from __future__ import annotations

import pytest
from seq2sum_training.errors import UserError
from seq2sum_training.export.versions import choose_version, existing, staged_version

HIGHEST = 2**63 - 1


def publish(base, version=None, content="model"):
    with staged_version(base, version) as (staging, number):
        (staging / "saved_model.pb").write_text(content)
    return number


def test_versions_are_numbered_upwards_from_one(tmp_path):
    base = tmp_path / "new" / "seq2sum"
    assert [publish(base), publish(base), publish(base, 7), publish(base)] == [1, 2, 7, 8]
    assert existing(base) == [1, 2, 7, 8]


def test_names_that_servers_ignore_are_not_versions(tmp_path):
    for name in ("٣", "9" * 20, "7.tmp", "v8"):
        (tmp_path / name).mkdir()
    assert publish(tmp_path) == 1


@pytest.mark.parametrize(("name", "following"), [("+3", 4), (" 4", 5), ("005", 6), ("-9", 1)])
def test_every_spelling_of_a_version_counts_as_existing(tmp_path, name, following):
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=f"version {int(name)} exists"):
        choose_version(tmp_path, int(name))
    assert publish(tmp_path) == following


def test_staging_folder_is_not_a_version(tmp_path):
    with staged_version(tmp_path, None) as (staging, number):
        assert staging.parent == tmp_path
        assert existing(tmp_path) == []
    assert existing(tmp_path) == [number]


def test_error_during_staging_leaves_no_files(tmp_path):
    def fail_in_the_block(base):
        with staged_version(base, None) as (staging, _):
            (staging / "half").touch()
            raise RuntimeError

    for base in (tmp_path, tmp_path / "new"):
        with pytest.raises(RuntimeError):
            fail_in_the_block(base)
        assert list(tmp_path.iterdir()) == []


def test_existing_version_is_refused_and_kept(tmp_path):
    publish(tmp_path, 3, "first")
    with pytest.raises(UserError, match="version 3 exists"):
        publish(tmp_path, 3, "second")
    assert (tmp_path / "3" / "saved_model.pb").read_text() == "first"


@pytest.mark.parametrize("name", [str(HIGHEST), f"000{HIGHEST}"])
def test_highest_loadable_version_has_no_next_version(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="can load: pass a free number with --version"):
        publish(tmp_path)
    with pytest.raises(UserError, match=f"version {HIGHEST} exists .* that a server can load"):
        publish(tmp_path, HIGHEST)
    assert publish(tmp_path, 12) == 12
    with pytest.raises(UserError, match="version 12 exists"):
        publish(tmp_path, 12)
    assert existing(tmp_path) == [12, HIGHEST]


def test_highest_loadable_version_can_be_published(tmp_path):
    (tmp_path / str(HIGHEST - 1)).mkdir()
    assert choose_version(tmp_path, None) == publish(tmp_path) == HIGHEST


def test_later_of_two_concurrent_publications_fails_without_a_trace(tmp_path):
    def publish_late():
        with staged_version(tmp_path, 1) as (staging, _):
            (staging / "saved_model.pb").write_text("late")
            publish(tmp_path, 1, "early")

    with pytest.raises(UserError, match="version 1 exists"):
        publish_late()
    assert (tmp_path / "1" / "saved_model.pb").read_text() == "early"
    assert [entry.name for entry in tmp_path.iterdir()] == ["1"]
