"""docs/your-model.md: a reader who types all of it sees what it shows."""

from __future__ import annotations

import re
import shutil

import pytest
from support import doc_snippets, page_session, servers
from support.paths import ROOT

pytestmark = [pytest.mark.server, pytest.mark.end_to_end]

EXAMPLE = ROOT / "examples" / "sentiment"
PAGE = doc_snippets.text("docs/your-model.md")
STEPS = page_session.steps(PAGE, excerpts_of=(EXAMPLE / "train.py").read_text())
REFUSED = "seq2sum-rollout: "
"""Beginning of the last line of a command that fails."""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of all steps, typed in a folder that has the examples of the repository."""
    folder = tmp_path_factory.mktemp("tour")
    shutil.copytree(ROOT / "examples", folder / "examples")
    return page_session.run(STEPS, folder, (servers.free_port(), servers.free_port()))


def masked(text):
    """Masks what differs from run to run: times, durations, scores, users and ports."""
    text = re.sub(r"^\d\d:\d\d:\d\d    \d+ (s|of \d+ s):.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\d\d:\d\d:\d\d|\d{4}-\d\d-\d\d|\d[\d.,]* m?s\b|\d+\.\d+(e-\d+)?", "#", text)
    text = re.sub(r"localhost:\d+|:\d{4,5}\b", "host", text)
    text = re.sub(r"\S+@\S+", "who", text)
    text = re.sub(r"(?<=[ \"])/\S*/tour", "/tour", text)
    return " ".join(re.sub("─+", "─", text).split())


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_a_step_prints_what_the_page_shows(results, number):
    step, result = STEPS[number], results[number]
    if result is None:
        doc_snippets.exists(step.typed)
        return
    shown = step.expected.rstrip("\n").rpartition("\n")[2]
    assert result.code == (1 if shown.startswith(REFUSED) else 0), result.printed
    assert masked(result.printed) == masked(step.expected)
