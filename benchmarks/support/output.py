"""Options, progress and result files of a benchmark."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
RUNS = Path("runs/bench-training")


def argument_parser(
    description: str | None, *, runs: Path | None = RUNS
) -> argparse.ArgumentParser:
    """Returns a parser with `--out` and, unless `runs` is None, `--runs`."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help="folder for the results (default: %(default)s)"
    )
    if runs:
        parser.add_argument(
            "--runs",
            type=Path,
            default=runs,
            help="folder of trained models; missing ones are trained (default: %(default)s)",
        )
    return parser


def log(text: str) -> None:
    """Prints a line of progress to stderr, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def write(path: Path, text: str) -> None:
    """Writes a file and logs its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    log(f"written: {path}")


def write_json(path: Path, values: object) -> None:
    """Writes `values` as JSON."""
    write(path, json.dumps(values, indent=1) + "\n")


Check = tuple[bool, str]
"""Whether a check passed, and its text."""


def exit_code(checks: Iterable[Check]) -> int:
    """Prints each check; returns 0 if all of them passed, else 1."""
    passed = True
    for ok, text in checks:
        print("ok    " if ok else "FAILED", text)
        passed = passed and ok
    return 0 if passed else 1


def examples(texts: Iterable[str], most: int = 3) -> str:
    """Returns the first few texts in parentheses, to follow a sentence, or an empty string."""
    first = list(islice(texts, most))
    return f" ({'; '.join(first)})" if first else ""


class Target(NamedTuple):
    """A target, and the figure that was reached."""

    name: str
    reached: float
    target: float

    def __str__(self) -> str:
        word = "reached" if self.reached >= self.target else "MISSED "
        return f"{word}  {self.name}: {_short(self.reached)} (target {_short(self.target)})"


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 1000 else f"{figure:.3g}"
