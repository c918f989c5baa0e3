"""The list of differences is the one that serving/README.md shows, and knows its cases."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from conformance import case, differences

README = case.HERE.parent.parent / "serving" / "README.md"
HEADING = "## Where it is not the same"
SHOWN = 3
"""Cases in a row of the table."""


def test_the_readme_names_the_same_differences_and_cases():
    _, _, section = README.read_text().partition(f"\n{HEADING}\n")
    lines = section.partition("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines if line[:1] == "|"]
    assert rows[2:] == [
        [one.name, one.real, one.here, one.because, in_short(list(one.cases))]
        for one in differences.listed()
    ]


def in_short(cases):
    """Three cases at most, and how many there are besides."""
    names = ", ".join(f"`{name}`" for name in cases[:SHOWN])
    return names + (f" and {len(cases) - SHOWN} more" if len(cases) > SHOWN else "")


def test_every_listed_case_is_recorded():
    known = {one.id for one in case.cases()}
    assert all(known.issuperset(one.cases) for one in differences.listed())


@pytest.mark.parametrize("page", ["README.md", "serving/README.md", "tests/conformance/README.md"])
def test_the_documents_give_the_number_of_cases_by_version(page):
    text = (case.HERE.parents[1] / page).read_text()
    by_version = Counter(one.recorded_on for one in case.cases())
    assert f" {by_version.total()} " in text
    for version, number in by_version.items():
        assert re.search(rf"\b{number}\s+(were\s+)?(recorded\s+)?on\s+{re.escape(version)}", text)
