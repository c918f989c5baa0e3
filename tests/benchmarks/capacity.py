"""Computes docs/capacity.md from what was measured: `make capacity`.

The page is written by hand but for its tables, which stand between two comments,
`<!-- table: NAME -->` and `<!-- end -->`, and are made anew. `--rate 250000` prints the tables of
replicas, network and clients for a rate of your own.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import capacity_figures
import capacity_tables

DOCS = Path(__file__).parents[2] / "docs"
TABLE = re.compile(r"<!-- table: (?P<name>[\w-]+) -->\n.*?<!-- end -->\n", re.DOTALL)
OF_A_RATE = ("replicas", "network", "clients")


def main() -> int:
    """Writes the page, or prints tables; gives back the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--docs", type=Path, default=DOCS, help="where figures and page are")
    options.add_argument("--rate", type=int, nargs="+", help="questions a second; prints only")
    chosen = options.parse_args()
    figures = capacity_figures.read(chosen.docs)
    if chosen.rate:
        made = capacity_tables.tables(figures, chosen.rate)
        print("\n\n".join(made[name] for name in OF_A_RATE))
        return 0
    page = chosen.docs / "capacity.md"
    page.write_text(filled(page.read_text(), capacity_tables.tables(figures)))
    print(f"written: {page}", file=sys.stderr)
    return 0


def filled(page: str, tables: Mapping[str, str]) -> str:
    """The page with its tables as they should be.

    Raises:
        SystemExit: The page has a table that nobody makes, or lacks one.
    """
    named = [match["name"] for match in TABLE.finditer(page)]
    if sorted(named) != sorted(tables):
        odd = ", ".join(sorted(set(named) ^ set(tables))) or "one that is there twice"
        raise SystemExit(f"the page and the tables that are made do not agree: {odd}")
    return TABLE.sub(
        lambda match: f"<!-- table: {match['name']} -->\n{tables[match['name']]}\n<!-- end -->\n",
        page,
    )


if __name__ == "__main__":
    sys.exit(main())
