"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seq2sum_training.errors import UserError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes the file `path` when the block ends without an error.

    It keeps the ending, by which Keras tells the format of a model. What was at `path` before
    stays until then; a block that fails leaves nothing behind.

    Raises:
        UserError: The disk is full, or the folder cannot be written.
    """
    partial = path.with_name(f"partial.{path.name}")
    try:
        with told(path):
            yield partial
            _to_disk(partial)
            os.replace(partial, path)
    finally:
        with suppress(OSError):  # what went wrong has been told
            partial.unlink(missing_ok=True)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Tells what the system says against writing `path` as a user's error."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def told_by_tensorflow(path: Path) -> Iterator[None]:
    """The same for what writes through TensorFlow's file system, which has errors of its own."""
    import tensorflow as tf

    try:
        with told(path):
            yield
    except tf.errors.OpError as error:
        raise UserError(f"cannot write {path}: {error.message}") from error


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
