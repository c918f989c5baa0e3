"""A version gets to its base path whole and under a number of its own, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from seq2sum import model_versions
from seq2sum.addition import contract
from seq2sum_serving.deployment.errors import Failed, Refused, UsageError
from seq2sum_serving.deployment.model_store import SAVED_MODEL, ModelStore, read_contract


@pytest.fixture
def base(tmp_path):
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


def names(base):
    return sorted(entry.name for entry in base.path.iterdir())


def test_versions_are_the_folders_that_a_server_takes_for_versions(base):
    for name in ("1", "007", "20", "0", "+3", " 4", "-2", "v3", "4.tmp", ".publishing-5-x"):
        (base.path / name).mkdir()
    assert base.versions() == [-2, 0, 1, 3, 4, 7, 20]
    assert [base.folder(number).name for number in (7, 3, 4)] == ["007", "+3", " 4"]
    assert base.folder(8) == base.path / "8"


def test_without_the_folder_it_says_where_it_looked(tmp_path):
    with pytest.raises(UsageError, match=r"cannot look at the base path .*gone.*--base-path"):
        ModelStore(tmp_path / "gone").versions()


def test_the_next_number_is_one_more_than_the_largest(base, source):
    (base.path / "7").mkdir()
    assert base.publish(source, None) == 8
    assert base.publish(source, 12) == 12
    assert base.publish(source, None) == 13
    assert names(base) == ["12", "13", "7", "8"]
    assert (base.path / "8" / "variables" / "variables.index").read_text() == "weights"
    assert source.is_dir()


@pytest.mark.parametrize("name", ["+3", " 3", "003", "3"])
def test_a_number_is_taken_however_its_directory_is_spelled(base, source, name):
    (base.path / name).mkdir()
    with pytest.raises(Refused, match=r"version 3 exists"):
        base.publish(source, 3)
    assert base.publish(source, None) == 4


def test_of_several_names_the_last_one_is_the_version(base):
    for name in ("+3", "003", "3"):
        (base.path / name).mkdir()
    assert base.folder(3).name == "3"


def test_what_is_no_version_is_not_published(base, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        UsageError, match=r"empty is no version to publish: it has no saved_model\.pb"
    ):
        base.publish(tmp_path / "empty", None)
    assert names(base) == []


def test_a_number_that_is_taken_stays_as_it_is(base, source, tmp_path):
    base.publish(source, 3)
    with pytest.raises(Refused, match=r"version 3 exists .* the next free one is 4"):
        base.publish(exported(tmp_path / "other", "other"), 3)
    assert (base.path / "3" / SAVED_MODEL).read_text() == "graph"


@pytest.mark.parametrize("step", ["copytree", "rename", "fsync"])
def test_a_disk_that_is_full_leaves_nothing(base, source, monkeypatch, step):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil if step == "copytree" else os, step, full)
    with pytest.raises(Failed, match=r"No space left on device\. Nothing of it is left there"):
        base.publish(source, None)
    assert names(base) == []


def test_files_that_cannot_be_copied_are_told_by_the_first_of_them(base, source):
    (source / "dangling").symlink_to("nowhere")
    with pytest.raises(Failed, match=r"No such file or directory.*Nothing of it is left there"):
        base.publish(source, None)
    assert names(base) == []


def test_of_two_at_once_one_gets_the_number_and_the_other_leaves_nothing(
    base, source, tmp_path, monkeypatch
):
    other = exported(tmp_path / "other", "other")
    rename = os.rename

    def overtaken(before, after):  # another process is quicker in between
        monkeypatch.setattr(os, "rename", rename)
        assert base.publish(other, 1) == 1
        rename(before, after)

    monkeypatch.setattr(os, "rename", overtaken)
    with pytest.raises(Failed, match=r"cannot publish .* Nothing of it is left there"):
        base.publish(source, 1)
    assert names(base) == ["1"]
    assert (base.path / "1" / SAVED_MODEL).read_text() == "other"


def test_many_at_once_never_mix(base, tmp_path):
    sources = [exported(tmp_path / f"export{n}", f"graph {n}") for n in range(4)]

    def publish(source):
        try:
            return base.publish(source, 1)
        except (Failed, Refused) as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(publish, sources))
    assert found.count(1) == 1
    assert names(base) == ["1"]
    winner = sources[found.index(1)]
    assert (base.path / "1" / SAVED_MODEL).read_text() == (winner / SAVED_MODEL).read_text()


def test_a_contract_is_read_from_the_version(base):
    folder = base.path / "1" / "assets.extra"
    folder.mkdir(parents=True)
    assert read_contract(base.folder(1)) is None
    (folder / contract.FILE_NAME).write_text('{"digits": 3}')
    assert read_contract(base.folder(1)) == {"digits": 3}


@pytest.mark.parametrize(
    ("text", "said"), [("{", "cannot read .*Export the version anew"), ("[]", "is no contract")]
)
def test_what_is_no_contract_is_refused(base, text, said):
    folder = base.path / "1" / "assets.extra"
    folder.mkdir(parents=True)
    (folder / contract.FILE_NAME).write_text(text)
    with pytest.raises(Refused, match=said):
        read_contract(base.folder(1))


def test_a_published_model_card_names_its_own_version(base, source):
    card = source / "assets.extra" / "model_card.md"
    card.parent.mkdir()
    card.write_bytes(b"# seq2sum, version 1\r\n\nversion 1 of 2\n")
    card.chmod(0o444)
    assert base.publish(source, 12) == 12
    published = base.path / "12" / "assets.extra" / "model_card.md"
    assert published.read_bytes() == b"# seq2sum, version 12\r\n\nversion 1 of 2\n"
    assert published.stat().st_mode & 0o777 == 0o444
    assert [entry.name for entry in published.parent.iterdir()] == ["model_card.md"]
    assert card.read_bytes().startswith(b"# seq2sum, version 1\r")


@pytest.mark.parametrize(
    "text", ["", "about it\n\n# seq2sum, version 1\n", "# seq2sum, version 1.5\n", "\ufeff# m\n"]
)
def test_a_model_card_with_another_title_is_published_as_it_is(base, source, text):
    (source / "assets.extra").mkdir()
    (source / "assets.extra" / "model_card.md").write_text(text)
    base.publish(source, 2)
    assert (base.path / "2" / "assets.extra" / "model_card.md").read_text() == text


def test_there_is_no_next_version_after_the_highest_that_a_server_can_load(base, source):
    (base.path / str(model_versions.LARGEST_VERSION)).mkdir()
    with pytest.raises(Refused, match=r"9223372036854775807 exists, the highest .* no next number"):
        base.publish(source, None)
    assert base.publish(source, 3) == 3
    assert names(base) == ["3", str(model_versions.LARGEST_VERSION)]
