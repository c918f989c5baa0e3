"""Folders that take long to make, and that all processes of one `make test` share."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

VARIABLE = "SEQ2SUM_TEST_ARTIFACTS"
"""The folder that they share; without it, each process makes its own."""


def folder(name: str, make: Callable[[Path], None], parent: Callable[[str], Path]) -> Path:
    """Returns a folder that is made once; other processes wait for it meanwhile.

    Args:
        name: Its name among the artifacts.
        make: Fills an empty folder.
        parent: Makes a folder for this process alone.
    """
    if VARIABLE not in os.environ:
        path = parent(name)
        make(path)
        return path
    root = Path(os.environ[VARIABLE])
    path = root / name
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            new = Path(tempfile.mkdtemp(dir=root))
            make(new)
            new.rename(path)  # a failed attempt is repeated by the next process
    return path
