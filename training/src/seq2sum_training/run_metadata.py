"""Metadata to reproduce a run: package versions and the git revision of this project."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("seq2sum-training", "seq2sum", "tensorflow", "keras", "numpy")
SAME = {"tensorflow": "tensorflow-cpu"}
"""Another distribution of the same package, which the images have."""


def provenance() -> dict[str, str]:
    """Returns the versions of Python and of the packages that determine a run, and the revision."""
    return {
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
        "revision": _revision(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        if package not in SAME:
            raise
        return version(SAME[package])


def _revision() -> str:
    """Returns the git revision, `-dirty` with uncommitted changes; "unknown" outside a checkout.

    A package may be installed inside the checkout of another project, so git must track this file.
    """
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("describe", "--always", "--dirty", "--abbrev=12")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()
