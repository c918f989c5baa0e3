"""The site: its navigation and reference are complete, and links that leave docs/ work in it."""

from __future__ import annotations

import re

import docs_site
import pytest
import seq2sum
import seq2sum.testing
import yaml
from support.paths import ROOT

DOCS = ROOT / "docs"
PUBLIC = {
    *(f"seq2sum.{name}" for name in seq2sum.__all__),
    *(f"seq2sum.testing.{name}" for name in seq2sum.testing.__all__),
    "seq2sum.testing.fixtures",
    "seq2sum.otel",
}


def pages(nav):
    """Returns the files of a navigation in its order."""
    for entry in nav:
        for item in [entry] if isinstance(entry, str) else entry.values():
            yield from [item] if isinstance(item, str) else pages(item)


def test_navigation_has_every_page_once():
    settings = yaml.load((ROOT / "mkdocs.yml").read_text(), docs_site.IgnoreTags)
    files = [str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")]
    listed = list(pages(settings["nav"]))
    copies = [page for page in listed if page.startswith("repository/")]
    assert sorted(listed) == sorted(files + copies)
    assert all((ROOT / copy.removeprefix("repository/")).is_file() for copy in copies)


def test_reference_has_every_public_name_once():
    text = "\n".join(path.read_text() for path in (DOCS / "reference").glob("*.md"))
    found = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    assert sorted(found) == sorted(PUBLIC - {"seq2sum.addition"})


@pytest.fixture
def repository(tmp_path):
    """A repository with one page, and files outside docs/."""
    for name in ("docs/guide/page.md", "code/train.py", "code/README.md", "chart.svg", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("link", "without", "address"),
    [
        ("../../code/train.py", "../repository/code/train.py.txt", "code/train.py"),
        ("../../code/README.md#a-b", "../repository/code/README.md#a-b", None),
        ("../../notes.txt", "../repository/notes.txt", "notes.txt"),
        ("../../chart.svg", "../repository/chart.svg", None),
        ("page.md#x", "page.md#x", None),
        ("#x", "#x", None),
        ("https://example.org/a.md", "https://example.org/a.md", None),
    ],
)
def test_links_lead_to_copies_or_to_the_repository(repository, tmp_path, link, without, address):
    docs, out = repository / "docs", tmp_path / "out"
    page = f"[text]({link}), ![text]({link})\n```py\na[0](b)\n```\n"
    (docs / "guide/page.md").write_text(page)
    docs_site.stage(docs, out, "")
    assert (out / "guide/page.md").read_text() == page.replace(link, without)
    if without.startswith("../repository"):
        assert (out / "guide" / without.partition("#")[0]).is_file()
    expected = f"https://git.example/main/{address}" if address else without
    text, linked = docs_site.adapt(page, docs / "guide/page.md", docs, "https://git.example/main/")
    assert text == page.replace(link, expected)
    copied = {"chart.svg", "README.md"} & {path.name for path in linked}
    assert {path.name for path in linked} == copied
    assert bool(copied) == (address is None and without.startswith("../repository"))


def test_a_link_to_a_folder_becomes_its_text(repository):
    docs = repository / "docs"
    text, linked = docs_site.adapt("see [the code](../../code)", docs / "guide/page.md", docs, "")
    assert (text, linked) == ("see the code", [])


def test_a_link_to_nothing_is_refused(repository):
    docs = repository / "docs"
    with pytest.raises(SystemExit, match=r"page\.md: no such file: \.\./x\.md"):
        docs_site.adapt("[x](../x.md)", docs / "guide/page.md", docs, "")
