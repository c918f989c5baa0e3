"""Links between the Markdown files of the repository lead to files and headings."""

from __future__ import annotations

import re

import pytest
from support import doc_snippets
from support.paths import ROOT

PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("[a-z]*/**/README.md"),
    )
)
LANDING_PAGES = ("client/README.md", "serving/README.md", "training/README.md")


@pytest.mark.parametrize("file", PAGES)
def test_links_lead_to_files_and_headings(file):
    path = ROOT / file
    for target in re.findall(r"\]\((?!http)(.*?)\)", doc_snippets.prose(path.read_text())):
        name, _, anchor = target.partition("#")
        linked = path.parent / name if name else path
        assert linked.exists(), target
        assert not anchor or anchor in doc_snippets.headings(linked.read_text()), target


@pytest.mark.parametrize("file", LANDING_PAGES)
def test_a_landing_page_is_short(file):
    assert len((ROOT / file).read_text().splitlines()) <= 45


def test_the_page_of_the_client_in_a_package_index_has_no_relative_link():
    assert not re.search(r"\]\((?!https?://)", (ROOT / "client" / "README.md").read_text())
