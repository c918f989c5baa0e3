"""Locks on files. The kernel releases a lock when its process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def hold(path: Path, owner: str = "", *, wait: bool = True) -> Iterator[None]:
    """Holds the lock on a file.

    Args:
        path: The file. It is never deleted: a deleted lock file would let two processes in.
        owner: Content of the file while the lock is held.
        wait: Whether to wait for the lock.

    Raises:
        BlockingIOError: Another process holds the lock; `filename` is its `owner`.
        OSError: The file cannot be opened.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise BlockingIOError(error.errno, error.strerror, _owner(handle)) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, owner.encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def holder(path: Path) -> str | None:
    """Returns the `owner` of a lock that is held; None if the lock is free. Changes nothing."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _owner(handle)
    finally:
        os.close(handle)
    return None


def _owner(handle: int) -> str:
    return os.pread(handle, 1000, 0).decode(errors="replace").strip()
