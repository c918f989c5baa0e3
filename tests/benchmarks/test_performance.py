"""docs/performance.md: its tables are those of the results."""

from __future__ import annotations

from benchmarks import performance
from benchmarks.capacity.page import fill_in
from benchmarks.support.output import RESULTS


def test_page_agrees_with_the_results():
    page = performance.PAGE.read_text()
    assert fill_in(page, performance.tables(RESULTS)) == page, "run `make performance`"
