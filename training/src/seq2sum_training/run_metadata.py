"""What must be known to repeat a run: versions of packages and the project's revision."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("seq2sum-training", "seq2sum", "tensorflow", "keras", "numpy")


def provenance() -> dict[str, str]:
    """Names and versions of all that a run depends on."""
    return {
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "revision": _revision(),
    }


def _revision() -> str:
    """The git revision of this code, marked if it has changes; "unknown" outside a checkout.

    A package that is installed below a checkout is not of it: git must know this very file.
    """
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("describe", "--always", "--dirty", "--abbrev=12")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(*line: str) -> str:
    done = subprocess.run(
        ["git", *line],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()
