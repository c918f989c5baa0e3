"""Folders that tests refer to."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The root of the repository."""
BIN = Path(sys.executable).parent
"""The installed commands."""
