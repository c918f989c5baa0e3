"""Atomic writes: files and directories are complete or absent, even if the process is killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seq2sum_training.errors import UserError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path that replaces `path` when the block ends without an error.

    The temporary path keeps the suffix, from which Keras infers the format of a model. If the
    block fails, the temporary file is removed and `path` is unchanged.

    Raises:
        UserError: The disk is full, or the directory is not writable.
    """
    partial = path.with_name(f"partial.{path.name}")
    try:
        with write_errors(path):
            yield partial
            _sync(partial)
            os.replace(partial, path)
    finally:
        with suppress(OSError):  # the error of the write itself matters more
            partial.unlink(missing_ok=True)


def publish_directory(staging: Path, target: Path) -> None:
    """Writes a directory and its files to disk and renames it to `target`.

    Raises:
        OSError: For example if `target` is a directory that is not empty.
    """
    for parent, _, files in os.walk(staging):
        for name in files:
            _sync(Path(parent, name))
        _sync(Path(parent))
    os.rename(staging, target)
    _sync(target.parent)


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Converts an OSError into a UserError that names `path`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def tensorflow_write_errors(path: Path) -> Iterator[None]:
    """Like `write_errors`, and also converts the errors of TensorFlow's file system."""
    import tensorflow as tf

    try:
        with write_errors(path):
            yield
    except tf.errors.OpError as error:
        raise UserError(f"cannot write {path}: {error.message}") from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
