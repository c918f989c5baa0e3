"""docs/performance.md and README.md: their tables are those of the results."""

from __future__ import annotations

import pytest

from benchmarks.capacity.page import fill_in
from benchmarks.performance import PAGES
from benchmarks.support.output import RESULTS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_agree_with_the_results(page):
    text = page.read_text()
    assert fill_in(text, PAGES[page](RESULTS)) == text, "run `make performance`"
