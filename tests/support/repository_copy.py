"""Copies of the repository as a clone has it: without what git ignores."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from support.paths import BIN, ROOT


def make(folder: Path) -> Path:
    """Copies all files that git tracks, as they are now; returns the folder.

    `.venv` is a link to the environment of the tests, so that `make setup` downloads nothing. The
    files that it depends on get the oldest time: otherwise `make` would install the copy into it.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    for path in (folder / "constraints.txt", *folder.rglob("pyproject.toml")):
        os.utime(path, (0, 0))
    (folder / ".venv").symlink_to(BIN.parent)
    return folder
