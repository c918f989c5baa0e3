"""Programs that some tests need and that pip does not install: Debian packages them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

INSTALL_COMMAND = "make setup-system"
REQUIRED = os.environ.get("CI") == "true"
"""In continuous integration a missing program fails the tests that need it."""


def program(*names: str) -> Path | None:
    """Returns the path of the first of these programs that is installed; None if none is."""
    found = next(filter(None, map(shutil.which, names)), None)
    return Path(found) if found else None


def needs(*names: str) -> pytest.MarkDecorator:
    """Skips tests where a program is missing, with the command to install it; never in CI."""
    missing = [name for name in names if program(name) is None]
    return pytest.mark.skipif(
        bool(missing) and not REQUIRED,
        reason=f"{' and '.join(missing)} missing: {INSTALL_COMMAND}",
    )
