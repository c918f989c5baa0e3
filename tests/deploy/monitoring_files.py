"""The files of serving/monitoring as values: configuration, rules, their tests, the dashboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from support.paths import ROOT

FOLDER = ROOT / "serving" / "monitoring"
CONFIG = FOLDER / "prometheus.yml"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
TESTS = sorted((FOLDER / "tests").glob("*.yml"))
GRAFANA = FOLDER / "grafana"
DASHBOARD = GRAFANA / "dashboards" / "seq2sum.json"


def read(path: Path) -> Any:
    """Returns the content of a YAML file."""
    return yaml.safe_load(path.read_text())


def groups() -> list[dict[str, Any]]:
    """Returns all rule groups."""
    return [group for path in RULES for group in read(path)["groups"]]


def rules(kind: str) -> dict[str, dict[str, Any]]:
    """Returns the rules of a kind, `alert` or `record`, by name."""
    found = [rule for group in groups() for rule in group["rules"]]
    return {rule[kind]: rule for rule in found if kind in rule}


def job(name: str) -> dict[str, Any]:
    """Returns a scrape configuration by the name of its job."""
    [found] = [job for job in read(CONFIG)["scrape_configs"] if job["job_name"] == name]
    return found


def dashboard() -> dict[str, Any]:
    """Returns Grafana's JSON model."""
    return json.loads(DASHBOARD.read_text())
