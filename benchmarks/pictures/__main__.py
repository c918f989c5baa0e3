"""Draws the pictures again from the results, without measuring anything: `make pictures`."""

from __future__ import annotations

import sys

from benchmarks.pictures.results import PICTURES, draw_again
from benchmarks.support.output import RESULTS

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        draw_again(RESULTS, name)
