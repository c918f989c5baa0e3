"""Files that change as a whole: whoever reads one finds all of the old or all of the new."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Writes a file beside, through to the disk, and puts it in the place of the old one.

    Mode and owner stay those of the old file, where the system lets them.

    Raises:
        OSError: It cannot be done; the old file is as it was, and nothing is left beside it.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            try:
                old = path.stat()
            except FileNotFoundError:
                os.fchmod(file.fileno(), 0o644)
            else:
                os.fchmod(file.fileno(), old.st_mode & 0o7777)
                with suppress(PermissionError):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Sees a file or a folder through to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, told: str = "", *, wait: bool = True) -> Iterator[None]:
    """Holds a lock that ends with this process at the latest, whatever ends it.

    Args:
        path: The lock's file; it stays, for to delete it would let two in.
        told: What the file says while the lock is held.
        wait: Whether to wait for the lock.

    Raises:
        BlockingIOError: Another process holds it; its `filename` says what that process told.
        OSError: The file cannot be opened.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            holder = os.pread(handle, 1000, 0).decode(errors="replace").strip()
            raise BlockingIOError(error.errno, error.strerror, holder) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, told.encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)
