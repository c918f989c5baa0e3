"""A version is published completely and under an unused number, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from seq2sum import model_versions
from seq2sum_serving.deployment.errors import Failed, Refused, UsageError
from seq2sum_serving.deployment.model_store import SAVED_MODEL, ModelStore


@pytest.fixture
def store(tmp_path):
    (tmp_path / "models").mkdir()
    return ModelStore(tmp_path / "models")


@pytest.fixture
def source(tmp_path):
    return exported(tmp_path / "export")


def exported(folder, content="graph"):
    (folder / "variables").mkdir(parents=True)
    (folder / SAVED_MODEL).write_text(content)
    (folder / "variables" / "variables.index").write_text("weights")
    return folder


def names(store):
    return sorted(entry.name for entry in store.path.iterdir())


def test_versions_are_the_folders_that_a_server_accepts(store):
    for name in ("1", "007", "20", "0", "+3", " 4", "-2", "v3", "4.tmp", ".publishing-5-x"):
        (store.path / name).mkdir()
    assert store.versions() == [-2, 0, 1, 3, 4, 7, 20]
    assert [store.folder(number).name for number in (7, 3, 4)] == ["007", "+3", " 4"]
    assert store.folder(8) == store.path / "8"


def test_missing_base_path(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read the base path .*gone.*--base-path"):
        ModelStore(tmp_path / "gone").versions()


def test_next_version_is_one_above_the_highest(store, source):
    (store.path / "7").mkdir()
    assert store.publish(source, None) == 8
    assert store.publish(source, 12) == 12
    assert store.publish(source, None) == 13
    assert names(store) == ["12", "13", "7", "8"]
    assert (store.path / "8" / "variables" / "variables.index").read_text() == "weights"
    assert source.is_dir()


@pytest.mark.parametrize("name", ["+3", " 3", "003", "3"])
def test_version_is_taken_however_its_folder_is_spelled(store, source, name):
    (store.path / name).mkdir()
    with pytest.raises(Refused, match=r"version 3 exists"):
        store.publish(source, 3)
    assert store.publish(source, None) == 4


def test_last_of_several_names_is_the_version(store):
    for name in ("+3", "003", "3"):
        (store.path / name).mkdir()
    assert store.folder(3).name == "3"


def test_folder_without_a_saved_model_is_not_published(store, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        UsageError, match=r"empty is not a version folder: it has no saved_model\.pb"
    ):
        store.publish(tmp_path / "empty", None)
    assert names(store) == []


def test_published_version_is_never_overwritten(store, source, tmp_path):
    store.publish(source, 3)
    with pytest.raises(Refused, match=r"version 3 exists .* the next free one is 4"):
        store.publish(exported(tmp_path / "other", "other"), 3)
    assert (store.path / "3" / SAVED_MODEL).read_text() == "graph"


@pytest.mark.parametrize("step", ["copytree", "rename", "fsync"])
def test_full_disk_leaves_nothing(store, source, monkeypatch, step):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil if step == "copytree" else os, step, full)
    with pytest.raises(Failed, match=r"No space left on device\. No part of it was left behind"):
        store.publish(source, None)
    assert names(store) == []


def test_error_names_the_first_file_that_cannot_be_copied(store, source):
    (source / "dangling").symlink_to("nowhere")
    with pytest.raises(Failed, match=r"No such file or directory.*No part of it was left behind"):
        store.publish(source, None)
    assert names(store) == []


def test_loser_of_a_race_leaves_nothing(store, source, tmp_path, monkeypatch):
    other = exported(tmp_path / "other", "other")
    rename = os.rename

    def overtaken(before, after):  # another process is quicker in between
        monkeypatch.setattr(os, "rename", rename)
        assert store.publish(other, 1) == 1
        rename(before, after)

    monkeypatch.setattr(os, "rename", overtaken)
    with pytest.raises(Failed, match=r"cannot publish .* No part of it was left behind"):
        store.publish(source, 1)
    assert names(store) == ["1"]
    assert (store.path / "1" / SAVED_MODEL).read_text() == "other"


def test_concurrent_publishers_do_not_mix_files(store, tmp_path):
    sources = [exported(tmp_path / f"export{n}", f"graph {n}") for n in range(4)]

    def publish(source):
        try:
            return store.publish(source, 1)
        except (Failed, Refused) as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(publish, sources))
    assert found.count(1) == 1
    assert names(store) == ["1"]
    winner = sources[found.index(1)]
    assert (store.path / "1" / SAVED_MODEL).read_text() == (winner / SAVED_MODEL).read_text()


def test_published_model_card_names_its_version(store, source):
    card = source / "assets.extra" / "model_card.md"
    card.parent.mkdir()
    card.write_bytes(b"# seq2sum, version 1\r\n\nversion 1 of 2\n")
    card.chmod(0o444)
    assert store.publish(source, 12) == 12
    published = store.path / "12" / "assets.extra" / "model_card.md"
    assert published.read_bytes() == b"# seq2sum, version 12\r\n\nversion 1 of 2\n"
    assert published.stat().st_mode & 0o777 == 0o444
    assert [entry.name for entry in published.parent.iterdir()] == ["model_card.md"]
    assert card.read_bytes().startswith(b"# seq2sum, version 1\r")


@pytest.mark.parametrize(
    "text", ["", "about it\n\n# seq2sum, version 1\n", "# seq2sum, version 1.5\n", "\ufeff# m\n"]
)
def test_model_card_with_another_title_is_unchanged(store, source, text):
    (source / "assets.extra").mkdir()
    (source / "assets.extra" / "model_card.md").write_text(text)
    store.publish(source, 2)
    assert (store.path / "2" / "assets.extra" / "model_card.md").read_text() == text


def test_no_version_follows_the_highest_one(store, source):
    (store.path / str(model_versions.LARGEST_VERSION)).mkdir()
    with pytest.raises(Refused, match=r"9223372036854775807 exists, .* no number is left"):
        store.publish(source, None)
    assert store.publish(source, 3) == 3
    assert names(store) == ["3", str(model_versions.LARGEST_VERSION)]
