"""The files of serving/monitoring, read: configuration, rules, their cases, the dashboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from support.paths import ROOT

FOLDER = ROOT / "serving" / "monitoring"
CONFIG = FOLDER / "prometheus.yml"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
CASES = sorted((FOLDER / "tests").glob("*.yml"))
GRAFANA = FOLDER / "grafana"
DASHBOARD = GRAFANA / "dashboards" / "seq2sum.json"


def read(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text())


def groups() -> list[dict[str, Any]]:
    """All groups of rules."""
    return [group for path in RULES for group in read(path)["groups"]]


def alerts() -> dict[str, dict[str, Any]]:
    """The rules that alert, by name."""
    rules = [rule for group in groups() for rule in group["rules"]]
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


def recorded() -> dict[str, str]:
    """The expressions that are recorded, by name."""
    rules = [rule for group in groups() for rule in group["rules"]]
    return {rule["record"]: rule["expr"] for rule in rules if "record" in rule}


def job(name: str) -> dict[str, Any]:
    """What is scraped under a name."""
    [found] = [job for job in read(CONFIG)["scrape_configs"] if job["job_name"] == name]
    return found


def dashboard() -> dict[str, Any]:
    """Grafana's file."""
    return json.loads(DASHBOARD.read_text())
