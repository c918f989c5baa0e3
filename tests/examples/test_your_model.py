"""docs/your-model.md: a reader who types all of it sees what it shows."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from support import doc_snippets, page_session, servers
from support.paths import ROOT

pytestmark = [pytest.mark.server, pytest.mark.end_to_end]

EXAMPLE = ROOT / "examples" / "sentiment"
PAGE, CONTAINERS = doc_snippets.text("docs/your-model.md").split("## With containers\n")
STEPS = page_session.steps(PAGE, excerpts_of=(EXAMPLE / "train.py").read_text())
LEFT_OUT = "…"
"""Stands for any text in an output of the page."""
ERROR_PREFIX = "seq2sum-rollout: "
"""Start of the last line of a command that fails."""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of all steps, typed in a folder that has the examples of the repository."""
    folder = tmp_path_factory.mktemp("tour")
    shutil.copytree(ROOT / "examples", folder / "examples")
    return page_session.run(STEPS, folder, (*servers.free_ports(), *servers.free_ports()))


def masked(text):
    """Masks what differs from run to run: times, durations, counts of probes, scores and paths."""
    text = re.sub(r"^\d\d:\d\d:\d\d    \d+ (s|of \d+ s):.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"(?<=\d of \d) +[\d.]+$", " #", text, flags=re.MULTILINE)
    text = re.sub(r"\d\d:\d\d:\d\d|\d{4}-\d\d-\d\d|\d[\d.,]* m?s\b|\d+\.\d+(e-\d+)?", "#", text)
    text = re.sub(r"\d+(?= (probes|replies) of the canary)", "#", text)
    text = re.sub(r"localhost:\d+", "host", text)
    text = re.sub(r"\S+@\S+", "who", text)
    text = re.sub(r"/\S*/runs/tour", "tour", text)
    return " ".join(re.sub("─+", "─", text).split())


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_a_step_prints_what_the_page_shows(results, number):
    step, result = STEPS[number], results[number]
    if result is None:
        doc_snippets.exists(step.typed)
        return
    shown = step.expected.rstrip("\n").rpartition("\n")[2]
    assert result.code == (1 if shown.startswith(ERROR_PREFIX) else 0), result.printed
    printed, expected = masked(result.printed), masked(step.expected)
    pattern = re.escape(expected).replace(LEFT_OUT, ".*")
    assert re.fullmatch(pattern, printed), f"{result.printed}\n--- expected:\n{step.expected}"


def test_the_page_goes_from_training_to_the_probe():
    typed = "".join(step.typed for step in STEPS)
    milestones = (
        "train.py",
        "seq2sum-serve",
        "describe",
        "predict",
        "golden record",
        "contract record",
    )
    for milestone in (*milestones, "run 2", "run 3", "rollback", "seq2sum-probe --once"):
        assert milestone in typed, milestone


def test_stable_version_scores_a_negation_low_until_the_rollback(results):
    """Version 2 of the example understands "not great", and version 1 does not."""
    scores = [
        json.loads(result.printed)["score"]
        for step, result in zip(STEPS, results, strict=True)
        if "not great" in step.typed and "predict" in step.typed
    ]
    rolled_out, rolled_back = scores
    assert rolled_out < 0.2
    assert rolled_back > 0.7


@pytest.mark.parametrize("line", doc_snippets.commands(CONTAINERS))
def test_a_command_for_containers_exists(line):
    doc_snippets.exists(line)
