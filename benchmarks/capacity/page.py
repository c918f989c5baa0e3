"""Computes the tables of docs/capacity.md from the results of all benchmarks: `make capacity`.

The text of the page is written by hand; its tables stand between the comments
`<!-- table: NAME -->` and `<!-- end -->` and are replaced. With `--rate 250000` the tables of
replicas, network and clients are printed for other rates instead.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.capacity import figures, tables
from benchmarks.support.output import RESULTS, ROOT, write

TABLE = re.compile(r"<!-- table: (?P<name>[\w-]+) -->\n.*?<!-- end -->\n", re.DOTALL)
BY_RATE = ("replicas", "network", "clients")


def main() -> int:
    """Writes the page or prints tables; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "capacity.md")
    parser.add_argument(
        "--rate", type=int, nargs="+", help="questions per second; prints tables, writes no file"
    )
    options = parser.parse_args()
    measured = figures.read(options.results)
    if options.rate:
        made = tables.tables(measured, options.rate)
        print("\n\n".join(made[name] for name in BY_RATE))
        return 0
    write(options.page, fill_in(options.page.read_text(), tables.tables(measured)))
    return 0


def fill_in(page: str, made: Mapping[str, str]) -> str:
    """Returns the page with its tables replaced.

    Raises:
        SystemExit: The page lacks a table, or has an unknown or a repeated one.
    """
    named = [match["name"] for match in TABLE.finditer(page)]
    if sorted(named) != sorted(made):
        odd = ", ".join(sorted(set(named) ^ set(made))) or "a table is repeated"
        raise SystemExit(f"the tables of the page differ from the computed ones: {odd}")
    return TABLE.sub(
        lambda match: f"<!-- table: {match['name']} -->\n{made[match['name']]}\n<!-- end -->\n",
        page,
    )


if __name__ == "__main__":
    sys.exit(main())
