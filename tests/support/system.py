"""Programs that some tests use and pip does not bring: Debian has them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

HOW_TO_GET = "make setup-system"
REQUIRED = os.environ.get("CI") == "true"
"""In continuous integration what is missing fails the tests that need it."""


def program(*names: str) -> Path | None:
    """Where the first of these is that is on the path; None if none is."""
    found = next(filter(None, map(shutil.which, names)), None)
    return Path(found) if found else None


def needs(*names: str) -> pytest.MarkDecorator:
    """Skips tests where a program is missing, and says how to get it; never in CI."""
    missing = [name for name in names if program(name) is None]
    return pytest.mark.skipif(
        bool(missing) and not REQUIRED,
        reason=f"{' and '.join(missing)} missing: {HOW_TO_GET}",
    )
