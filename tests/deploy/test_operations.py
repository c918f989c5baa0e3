"""docs/operations.md tells the truth: its commands exist and work, every alert is in it."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml
from deploy import compose_file
from seq2sum_serving.probe import cli as probe
from support import doc_snippets
from support.deployed import Deployed, served_version
from support.paths import ROOT

PAGE = "docs/operations.md"
TEXT = doc_snippets.text(PAGE)
RULES = ROOT / "serving" / "monitoring" / "rules" / "alerts.yml"
ROLLOUT = "docker compose run --rm rollout "
PROBE = "docker compose --profile monitoring run --rm probe "
STORY = ("The first minute", "Roll out", "Roll back")
"""Sections whose commands follow one another on one deployment."""


def section(name):
    """The text below one of the large headings."""
    [text] = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return text


@pytest.mark.parametrize("line", dict.fromkeys(doc_snippets.commands(TEXT)))
def test_every_command_exists_with_its_options(line):
    doc_snippets.exists(line)


def test_every_alert_has_a_section_and_every_section_of_an_alert_is_one():
    groups = yaml.safe_load(RULES.read_text())["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"]]
    assert sorted(re.findall(r"^#### (\w+)$", section("Alerts"), re.MULTILINE)) == sorted(alerts)


def test_alerts_lead_to_their_sections():
    addresses = re.findall(r"runbook_url: (\S+)#(\S+)", RULES.read_text())
    assert {page for page, _ in addresses} == {PAGE}
    assert {anchor for _, anchor in addresses} <= doc_snippets.headings(TEXT)


def test_what_an_alert_tells_to_look_at_is_another_alert():
    alerts = set(re.findall(r"^#### (\w+)$", TEXT, re.MULTILINE))
    named = set(re.findall(r"`([A-Z]\w+[a-z][A-Z]\w+)`", TEXT))
    assert named
    assert named <= alerts


def test_ports_are_those_of_compose():
    table = re.findall(r"^\| ([\d, ]+) \| `([\w-]+)` \|", section("The first minute"), re.MULTILINE)
    told = {name: {int(port) for port in ports.split(",")} for ports, name in table}
    published = {
        name: {outer for _, outer, _ in compose_file.published(service)}
        for name, service in compose_file.services().items()
    }
    assert told == {name: ports for name, ports in published.items() if ports}


def test_links_lead_to_files_and_to_their_headings():
    for target in re.findall(r"\]\((?!http)(.*?)\)", TEXT):
        file, _, anchor = target.partition("#")
        path = (ROOT / PAGE).parent / file if file else ROOT / PAGE
        assert path.exists(), target
        assert not anchor or anchor in doc_snippets.headings(path.read_text())


@pytest.fixture(scope="module")
def night(small_version, tmp_path_factory):
    """Version 2 is stable since 14:05, version 1 is the one before; 3 and 4 are on disk."""
    with Deployed(tmp_path_factory.mktemp("night"), small_version) as deployed:
        deployed.start("--model_config_file_poll_wait_seconds=1")
        assert deployed.rollout("promote", 1).code == 0
        for number in (2, 3, 4):
            deployed.copy_version(small_version, number)
        assert deployed.rollout("promote", 2, "--skip-gates").code == 0
        yield deployed


def test_the_commands_of_a_night_follow_one_another(night, capsys):
    """As they stand on the page, in order; each does what it is there for."""
    typed = [line for name in STORY for line in doc_snippets.commands(section(name))]
    told = [line for line in typed if line.startswith((ROLLOUT, PROBE))]
    labels = []
    for line in told:
        if line.startswith(PROBE):
            options = shlex.split(line.removeprefix(PROBE))
            here = [f"--config={night.config}", f"--targets={night.targets}"]
            assert probe.main([*options, *here]) == 0, capsys.readouterr().err
            continue
        words = shlex.split(line.removeprefix(ROLLOUT))
        ended = night.rollout(*words, *(["--count", "1"] if words == ["watch"] else []))
        assert ended.code == 0, f"{line}: {ended.text}"
        labels.append((words[0], served_version(night.servers[0], label="stable")))
    assert labels == [
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
