"""Files change as a whole, and folders are checked before they are copied."""

from __future__ import annotations

import errno
import os
import shutil

import pytest
from seq2sum_serving.deployment import atomic_file
from seq2sum_serving.deployment.errors import Refused


def test_new_file_is_readable_by_other_users(tmp_path):
    atomic_file.write(tmp_path / "file", "text")
    assert (tmp_path / "file").read_text() == "text"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_old_file_keeps_its_mode(tmp_path):
    path = tmp_path / "file"
    path.write_text("before")
    path.chmod(0o640)
    atomic_file.write(path, "after")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("after", 0o640)


@pytest.mark.parametrize("step", ["fsync", "replace", "fchmod"])
def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    def full(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    path.write_text("before")
    with monkeypatch.context() as patch:
        patch.setattr(os, step, full)
        with pytest.raises(OSError, match="No space left"):
            atomic_file.write(path, "after")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "before"


@pytest.mark.parametrize("links", [1, 3])
@pytest.mark.parametrize("exists", [True, False])
def test_link_stays_and_the_file_behind_it_changes(tmp_path, links, exists):
    file = tmp_path / "far" / "file"
    file.parent.mkdir()
    if exists:
        file.write_text("before")
        file.chmod(0o640)
    path = file
    for number in range(links):
        link = tmp_path / f"link{number}"
        link.symlink_to(os.path.relpath(path, tmp_path))
        path = link
    atomic_file.check_replaceable(path)
    atomic_file.write(path, "after")
    assert path.is_symlink()
    assert (file.read_text(), path.read_text()) == ("after", "after")
    assert not exists or file.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in file.parent.iterdir()] == ["file"]


def volume(folder, link):
    """Creates a folder as the kubelet projects a volume; returns paths to its file, by kind."""
    (folder / "..2026_07_14_09_30_00.1").mkdir(parents=True)
    (folder / "..2026_07_14_09_30_00.1" / "file").write_text("before")
    (folder / "..data").symlink_to("..2026_07_14_09_30_00.1")
    (folder / "file").symlink_to("..data/file")
    return {
        "file": folder / "file",
        "data": folder / "..data" / "file",
        "link": link,
    }


@pytest.mark.parametrize("through", ["file", "data", "link"])
def test_file_projected_by_kubernetes_is_refused(tmp_path, through):
    (tmp_path / "link").symlink_to("volume/file")
    path = volume(tmp_path / "volume", tmp_path / "link")[through]
    for attempt in (
        lambda: atomic_file.write(path, "after"),
        lambda: atomic_file.check_replaceable(path),
    ):
        with pytest.raises(Refused, match="part of a Kubernetes volume"):
            attempt()
    assert path.read_text() == "before"
    assert sorted(entry.name for entry in (tmp_path / "volume").iterdir()) == [
        "..2026_07_14_09_30_00.1",
        "..data",
        "file",
    ]


def test_write_to_a_loop_of_links_fails(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        atomic_file.write(tmp_path / "a", "after")
    assert (tmp_path / "a").is_symlink()


def test_write_to_a_mount_point_fails(tmp_path, monkeypatch):
    def busy(*_):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(os, "replace", busy)
    with pytest.raises(OSError, match="mount its folder instead"):
        atomic_file.write(tmp_path / "file", "text")
    assert list(tmp_path.iterdir()) == []


def test_line_endings_stay(tmp_path):
    atomic_file.write(tmp_path / "file", "a\r\nb\n")
    assert (tmp_path / "file").read_bytes() == b"a\r\nb\n"


def linked(folder):
    """Creates a folder with links to a file and to a folder; returns it."""
    (folder / "far").mkdir()
    (folder / "far" / "file").touch()
    (folder / "version").mkdir()
    (folder / "version" / "file").symlink_to(folder / "far" / "file")
    (folder / "version" / "folder").symlink_to(folder / "far")
    return folder / "version"


def test_linked_folders_can_be_copied(tmp_path):
    version = linked(tmp_path)
    atomic_file.check_copyable(version)
    shutil.copytree(version, tmp_path / "copy")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: os.mkfifo(folder / "pipe"), "Not a regular file"),
        (lambda folder: (folder / "up").symlink_to(".."), "Too many levels of symbolic links"),
        (lambda folder: (folder / "gone").symlink_to("nowhere"), "No such file or directory"),
        (lambda folder: (folder / "self").symlink_to("self"), "Too many levels of symbolic links"),
    ],
    ids=["pipe", "loop of folders", "dangling link", "loop"],
)
def test_check_copyable_finds_what_cannot_be_copied(tmp_path, damage, message):
    version = linked(tmp_path)
    damage(version / "folder")
    with pytest.raises(OSError, match=message):
        atomic_file.check_copyable(version)


def test_check_copyable_finds_unreadable_folders(tmp_path, monkeypatch):
    version, access = linked(tmp_path), os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: os.fspath(path)[-6:] != "folder" and access(path, mode)
    )
    with pytest.raises(PermissionError, match=r"Permission denied: .*version/folder"):
        atomic_file.check_copyable(version)


def test_check_replaceable_refuses_mount_points(tmp_path, monkeypatch):
    file = tmp_path / "the models.config"
    file.touch()
    (tmp_path / "link").symlink_to(file)
    point = str(file).replace(" ", "\\040")
    (tmp_path / "mountinfo").write_text(
        "22 1 0:21 / / rw,relatime - ext4 /dev/sda1 rw\n"
        f"40 22 8:1 /home/models.config {point} rw,relatime - ext4 /dev/sdb1 rw\n"
    )
    atomic_file.check_replaceable(file)
    monkeypatch.setattr(atomic_file, "MOUNTS", tmp_path / "mountinfo")
    for path in (file, tmp_path / "link"):
        with pytest.raises(OSError, match="mounted as a single file"):
            atomic_file.check_replaceable(path)
    monkeypatch.setattr(atomic_file, "MOUNTS", tmp_path / "gone")
    atomic_file.check_replaceable(file)
