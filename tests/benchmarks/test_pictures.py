"""The committed pictures: drawn from the committed results, small, and readable in both themes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest
from seq2sum_training.evaluate.picture_style import DARK
from support.paths import ROOT

from benchmarks.pictures import drawing, results
from benchmarks.support.output import RESULTS

PINNED = re.search(r"^matplotlib==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[1]
MAX_BYTES = 60_000


def test_each_picture_has_its_results():
    assert {path.stem for path in RESULTS.glob("*.svg")} == set(results.PICTURES)


@pytest.mark.skipif(mpl.__version__ != PINNED, reason="another matplotlib draws otherwise")
@pytest.mark.parametrize("name", results.PICTURES)
def test_committed_picture_is_drawn_from_the_committed_results(name):
    committed = (RESULTS / f"{name}.svg").read_text()
    assert results.draw(RESULTS, name) == committed, "run `make pictures`"


@pytest.mark.parametrize("name", results.PICTURES)
def test_picture_is_small_and_has_a_dark_colour_for_each_of_its_colours(name):
    svg = (RESULTS / f"{name}.svg").read_text()
    assert len(svg) < MAX_BYTES
    assert "prefers-color-scheme: dark" in svg
    drawn = svg.partition("</style>")[2]
    assert set(re.findall(r"#[0-9a-f]{6}", drawn)) <= set(DARK)
    texts = ["".join(text.itertext()) for text in ET.fromstring(svg).findall(".//{*}text")]
    assert texts
    assert not any("10^" in text or "mathdefault" in text for text in texts)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (1, "1"),
        (512, "512"),
        (8192, "8,192"),
        (1e6, "1 million"),
        (2.5e6, "2.5 million"),
    ],
)
def test_numbers_are_plain(value, text):
    assert drawing.plain(value) == text


@pytest.mark.parametrize(
    ("ratios", "text"),
    [([1.04, 5.6, 12], "1.0 to 12 ×"), ([2.01, 1.98], "2.0 ×"), ([1234.0, 3], "3.0 to 1,234 ×")],
)
def test_ratios_are_given_as_a_span(ratios, text):
    assert drawing.span(ratios) == text
