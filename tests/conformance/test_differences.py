"""Checks the list of differences against the table in docs/server.md and the cases."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from conformance import case, differences
from support.paths import ROOT

pytestmark = pytest.mark.tensorflow

HEADING = "## Differences from tensorflow_model_server"
MAX_CASES = 3
"""Most cases that a row of the table names."""


def test_table_of_the_page_matches_the_list():
    _, _, section = (ROOT / "docs" / "server.md").read_text().partition(f"\n{HEADING}\n")
    lines = section.partition("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines if line[:1] == "|"]
    assert rows[2:] == [
        [entry.name, entry.real, entry.embedded, entry.reason, summarize(list(entry.cases))]
        for entry in differences.all_differences()
    ]


def summarize(cases):
    """Lists the first cases and the number of the others, as in the table."""
    names = ", ".join(f"`{name}`" for name in cases[:MAX_CASES])
    return names + (f" and {len(cases) - MAX_CASES} more" if len(cases) > MAX_CASES else "")


def test_every_listed_case_is_recorded():
    known = {recorded.id for recorded in case.cases()}
    assert all(known.issuperset(entry.cases) for entry in differences.all_differences())


@pytest.mark.parametrize("page", ["README.md", "docs/server.md", "tests/conformance/README.md"])
def test_documents_give_the_number_of_cases_by_version(page):
    text = (ROOT / page).read_text()
    by_version = Counter(recorded.recorded_on for recorded in case.cases())
    assert f" {by_version.total()} " in text
    for version, number in by_version.items():
        assert re.search(rf"\b{number}\s+(were\s+)?(recorded\s+)?on\s+{re.escape(version)}", text)
