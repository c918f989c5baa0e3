"""The report and its pictures."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from seq2sum_training import cli
from seq2sum_training.evaluate import breakdown, pictures, report
from seq2sum_training.fit.history import HistoryRow

ROWS = [
    HistoryRow(step, stage, loss, exact, 1e-3, 1000.0, step / 10)
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


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_picture_is_one_reproducible_svg(name):
    svg = PICTURES[name]()
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert svg == PICTURES[name]()


@pytest.mark.slow
def test_pictures_contain_their_numbers_as_text():
    assert "2 wrong of 10,000" in PICTURES["map"]()
    assert "no errors" in PICTURES["map without errors"]()
    assert "another" in PICTURES["curves"]()


class References(HTMLParser):
    """Collects the references of a page to other resources."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            internal = value is None or value.startswith(("#", "data:"))
            if name in {"src", "href", "xlink:href"} and not internal:
                self.found.append((tag, value))
        assert tag not in {"script", "link", "iframe"}


def test_report_has_no_external_references(evaluated):
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
def test_share_is_rounded_down(share, written):
    source = report.template("figures.j2").module
    assert source.share(share) == written


@pytest.fixture
def run(evaluated, tmp_path):
    """A copy of the evaluated run, which the test may change."""
    path = tmp_path / "run"
    shutil.copytree(evaluated[0], path)
    return path


def test_report_compares_with_other_runs(command, run, tmp_path):
    other = tmp_path / "elsewhere" / "run"
    shutil.copytree(run, other)
    done = command("seq2sum-train", "report", run, "--against", other)
    assert done.returncode == 0, done.stderr
    assert (run / "report.html").read_text().count("<th>run</th>") == 3  # heading and both runs


def changed(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "wrong.csv").unlink(), "wrong.csv is incomplete"),
        (lambda run: (run / "wrong.csv").write_bytes(b"\xff\xfe"), "is damaged"),
        (lambda run: (run / "run.json").write_text("[]"), "expected a JSON object"),
        (lambda run: (run / "run.json").write_text("{"), "is damaged"),
        (lambda run: (run / "run.json").write_text("{}"), "is damaged: seq2sum-training, seq2sum,"),
        (lambda run: (run / "evaluation.json").write_text("{}"), "is not evaluated"),
        (lambda run: changed(run / "evaluation.json", model="another"), "is not evaluated"),
        (lambda run: changed(run / "evaluation.json", errors=3), "wrong.csv is incomplete"),
        (
            lambda run: (run / "recipe.toml").write_text(
                (run / "recipe.toml").read_text().replace("seed = 1", "seed = 2")
            ),
            "was changed after training",
        ),
    ],
)
def test_report_of_a_damaged_run_fails_with_one_line(run, capsys, damage, message):
    page = (run / "report.html").read_text()
    damage(run)
    missing = message == "wrong.csv is incomplete" and not (run / "wrong.csv").exists()
    if missing:  # without wrong answers, a missing file is not an error
        changed(run / "evaluation.json", errors=1)
    assert cli.main(["report", str(run)]) == 1
    output = capsys.readouterr().err
    assert message in output
    assert output.count("\n") == 1
    assert (run / "report.html").read_text() == page


def test_report_draws_a_history_up_to_damaged_bytes(run, capsys):
    with (run / "history.csv").open("ab") as file:
        file.write(b"\xff\xff,fit,1\n")
    assert cli.main(["report", str(run)]) == 0
    assert "report.html" in capsys.readouterr().out


def test_report_of_a_run_without_evaluation_is_refused(command, small_run):
    done = command("seq2sum-train", "report", small_run)
    assert done.returncode == 1
    assert "is not evaluated: run `seq2sum-train evaluate" in done.stderr
    assert "Traceback" not in done.stderr
