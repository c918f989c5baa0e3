"""The report and its pictures: complete, self-contained, and for any kind of run."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from seq2sum_training import cli as command_line
from seq2sum_training.evaluate import breakdown, pictures, report
from seq2sum_training.fit.history import Progress

ROWS = [
    Progress(step, stage, loss, exact, 1e-3, 1000.0, step / 10)
    for step, stage, loss, exact in [
        (50, "fit", 2.0, 0.0),
        (100, "fit", 0.1, 0.9),
        (150, "polish 1", 0.01, 1.0),
    ]
]
LENGTHS = [
    {"first": a, "second": b, "questions": 10, "errors": a * b} for a in (1, 2) for b in (1, 2)
]
CARRIES = [{"carries": n, "questions": 10, "errors": n} for n in range(3)]
PICTURES = {
    "curves": lambda: pictures.learning_curves([("one", ROWS), ("another", ROWS[:2])]),
    "map": lambda: pictures.error_map([(1, 2), (99, 99)], digits=2),
    "map without errors": lambda: pictures.error_map([], digits=3),
    "lengths": lambda: pictures.lengths_map(LENGTHS, digits=2),
    "carries": lambda: pictures.carries_bars(CARRIES),
    "no carries wrong": lambda: pictures.carries_bars([row | {"errors": 0} for row in CARRIES]),
    "calibration": lambda: pictures.calibration(
        breakdown.calibration(np.array([0.2, 0.9993, 0.9999]), np.array([True, False, False]))
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_one_svg_and_the_same_each_time(name):
    svg = PICTURES[name]()
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert svg == PICTURES[name]()


def test_pictures_say_their_figures():
    assert "2 wrong of 10,000" in PICTURES["map"]()
    assert "no error" in PICTURES["map without errors"]()
    assert "another" in PICTURES["curves"]()


class References(HTMLParser):
    """Whatever a page would load from elsewhere."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            inside = value is None or value.startswith(("#", "data:"))
            if name in {"src", "href", "xlink:href"} and not inside:
                self.found.append((tag, value))
        assert tag not in {"script", "link", "iframe"}


def test_a_report_needs_nothing_but_itself(evaluated):
    path, _ = evaluated
    page = (path / "report.html").read_text()
    references = References()
    references.feed(page)
    assert references.found == []
    assert page.count("<svg") == 5
    assert "0 wrong of 100" in page


@pytest.mark.parametrize(
    ("share", "written"),
    [(1.0, "100.0000%"), (1 - 1 / 4_000_000, "99.9999%"), (1 - 0.882326, "11.7674%")],
)
def test_a_share_is_rounded_down_and_no_further_than_it_is(share, written):
    source = report.template("figures.j2").module
    assert source.share(share) == written


@pytest.fixture
def run(evaluated, tmp_path):
    """An evaluated run of the test's own."""
    path = tmp_path / "run"
    shutil.copytree(evaluated[0], path)
    return path


def test_a_report_can_be_made_again_beside_others(command, run, tmp_path):
    other = tmp_path / "elsewhere" / "run"
    shutil.copytree(run, other)
    done = command("seq2sum-train", "report", run, "--against", other)
    assert done.returncode == 0, done.stderr
    assert (run / "report.html").read_text().count("<th>run</th>") == 3  # heading and both runs


def changed(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda run: (run / "wrong.csv").unlink(), "wrong.csv is not whole"),
        (lambda run: (run / "wrong.csv").write_bytes(b"\xff\xfe"), "is damaged"),
        (lambda run: (run / "run.json").write_text("[]"), "it holds no table"),
        (lambda run: (run / "run.json").write_text("{"), "is damaged"),
        (lambda run: (run / "run.json").write_text("{}"), "lacks seq2sum-training, seq2sum"),
        (lambda run: (run / "evaluation.json").write_text("{}"), "is not evaluated"),
        (lambda run: changed(run / "evaluation.json", model="another"), "is not evaluated"),
        (lambda run: changed(run / "evaluation.json", errors=3), "wrong.csv is not whole"),
        (
            lambda run: (run / "recipe.toml").write_text(
                (run / "recipe.toml").read_text().replace("seed = 1", "seed = 2")
            ),
            "was changed after training",
        ),
    ],
)
def test_what_does_not_fit_together_is_told_in_one_line(run, capsys, damage, said):
    page = (run / "report.html").read_text()
    damage(run)
    empty = said == "wrong.csv is not whole" and not (run / "wrong.csv").exists()
    if empty:  # no wrong answer and no file are the same
        changed(run / "evaluation.json", errors=1)
    assert command_line.main(["report", str(run)]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert (run / "report.html").read_text() == page


def test_a_history_with_odd_bytes_is_drawn_as_far_as_it_goes(run, capsys):
    with (run / "history.csv").open("ab") as file:
        file.write(b"\xff\xff,fit,1\n")
    assert command_line.main(["report", str(run)]) == 0
    assert "report.html" in capsys.readouterr().out


def test_a_report_of_a_run_without_figures_is_refused(command, small_run):
    done = command("seq2sum-train", "report", small_run)
    assert done.returncode == 1
    assert "is not evaluated: seq2sum-train evaluate" in done.stderr
    assert "Traceback" not in done.stderr
