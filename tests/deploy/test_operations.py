"""docs/operations.md and docs/alerts.md: commands work, and every alert has a section."""

from __future__ import annotations

import re
import shlex

import pytest
from deploy import compose_file
from deploy import monitoring_files as monitoring
from seq2sum_serving.probe import cli as probe
from support import doc_snippets
from support.deployed import POLLING, Deployed, served_version
from support.paths import ROOT

TEXT = doc_snippets.text("docs/operations.md")
ALERTS = doc_snippets.text("docs/alerts.md")
ROLLOUT = "docker compose run --rm rollout "
PROBE = "docker compose --profile monitoring run --rm probe "
WALKTHROUGH = ("The first minute", "Roll out", "Roll back")
"""Sections whose commands are run in order on one deployment."""


def section(name):
    """The text below a second-level heading."""
    [text] = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return text


@pytest.mark.parametrize("line", dict.fromkeys(doc_snippets.commands(TEXT + ALERTS)))
def test_a_command_exists_with_its_options(line):
    doc_snippets.exists(line)


def test_each_alert_has_a_section():
    sections = re.findall(r"^### (\w+)$", ALERTS, re.MULTILINE)
    assert sorted(sections) == sorted(monitoring.rules("alert"))


def test_alerts_in_the_text_exist():
    named = set(re.findall(r"`([A-Z]\w+[a-z][A-Z]\w+)`", TEXT + ALERTS))
    assert named
    assert named <= set(monitoring.rules("alert"))


def test_rows_of_the_dashboard_are_described():
    rows = [panel["title"] for panel in monitoring.dashboard()["panels"] if panel["type"] == "row"]
    described = re.findall(r"^\| ([A-Z].*?) \|", section("The dashboard"), re.MULTILINE)
    assert described == [title.partition(" (")[0] for title in rows]


def test_ports_agree_with_compose():
    table = re.findall(r"^\| ([\d, ]+) \| `([\w-]+)` \|", section("The first minute"), re.MULTILINE)
    documented = {name: {int(port) for port in ports.split(",")} for ports, name in table}
    published = {
        name: {host for _, host, _ in compose_file.published(service)}
        for name, service in compose_file.services().items()
    }
    assert documented == {name: ports for name, ports in published.items() if ports}


@pytest.fixture(scope="module")
def deployed(small_version, tmp_path_factory):
    """Version 2 is stable, version 1 previous, and 3 and 4 are on disk; with a candidate group."""
    with Deployed(tmp_path_factory.mktemp("deployed"), small_version) as deployed:
        deployed.start(POLLING)
        assert deployed.rollout("promote", 1).code == 0
        deployed.start_candidate(POLLING)
        for number in (2, 3, 4):
            deployed.copy_version(small_version, number)
        assert deployed.rollout("promote", 2, "--without-gates").code == 0
        yield deployed


def test_the_commands_of_the_walkthrough_work_in_order(deployed, capsys):
    lines = [line for name in WALKTHROUGH for line in doc_snippets.commands(section(name))]
    stable = []
    for line in lines:
        if line.startswith(PROBE):
            options = shlex.split(line.removeprefix(PROBE))
            local = [f"--config={deployed.config}", f"--targets={deployed.targets}"]
            assert probe.main([*options, *local]) == 0, capsys.readouterr().err
        elif line.startswith(ROLLOUT):
            words = shlex.split(line.removeprefix(ROLLOUT))
            result = deployed.rollout(*words, *(["--count", "1"] if words == ["watch"] else []))
            assert result.code == 0, f"{line}: {result.text}"
            stable.append((words[0], served_version(deployed.servers[0], label="stable")))
    assert stable == [
        ("status", 2),
        ("history", 2),
        ("rollback", 1),
        ("run", 1),  # --dry-run
        ("run", 3),
        ("watch", 3),
        ("canary", 3),
        ("promote", 4),
        ("retire", 4),
        ("rollback", 3),
        ("status", 3),
        ("status", 3),
        ("repair", 3),
    ]


def test_messages_of_fill_models_begin_as_quoted():
    script = (ROOT / "serving" / "docker" / "fill-models.sh").read_text()
    messages = [each.split() for each in re.findall(r'(?:fail|log) "([^"]+)"', script)]
    quotes = re.findall(r"`fill-models: ([^`]+?)(?: …)?`", TEXT)
    assert len(quotes) == 6
    for quote in quotes:
        words = quote.split()
        assert any(
            len(message) >= len(words)
            and all("$" in real or word == real for word, real in zip(words, message, strict=False))
            for message in messages
        ), quote
