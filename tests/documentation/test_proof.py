"""docs/proof.md: what it names exists, and its figures are those of the benchmarks."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from support import doc_snippets
from support.paths import ROOT

PAGE = doc_snippets.text("docs/proof.md")
RESULTS = ROOT / "benchmarks" / "results"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:tests|benchmarks)[\w/.-]*)`", PAGE))))
def test_a_named_test_or_result_exists(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([\w-]+)`", PAGE))))
def test_a_named_target_exists(target):
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("page", ["docs/proof.md", "README.md"])
def test_figures_of_the_rollouts_are_those_measured(page):
    measured = json.loads((RESULTS / "rollout.json").read_text())
    assert measured["failed"] == measured["wrong"] == measured["not_allowed"] == 0
    assert f"0 of {measured['calls']:,} calls failed" in doc_snippets.text(page)


@pytest.mark.parametrize("page", ["docs/proof.md", "README.md"])
def test_figures_of_the_seeds_are_those_measured(page):
    runs = json.loads((RESULTS / "seeds.json").read_text())
    text = doc_snippets.text(page)
    assert max(run["errors"] for run in runs) == 0
    assert f"of {len(runs)} seeds" in text or f"the {len(runs)} seeds" in text


def test_sizes_of_the_clients_are_those_measured():
    sizes = json.loads((RESULTS / "client.json").read_text())["footprint"]
    text = " ".join(doc_snippets.text("README.md").split())
    ours, theirs = (sizes[name]["megabytes"] for name in ("seq2sum", "tensorflow-serving-api"))
    assert f"needs {ours:,.0f} MB" in text
    assert f"needs {theirs:,.0f} MB" in text
