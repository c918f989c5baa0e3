"""The rules of serving/monitoring as the Prometheus operator takes them: one PrometheusRule.

kustomize reads no file outside of its folder and makes no such object out of a file of rules, so it
is written, and a test holds it to its source. After a change of the rules:

    make generate
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
RULES = ROOT / "serving" / "monitoring" / "rules"
WRITTEN = ROOT / "serving" / "kubernetes" / "components" / "monitoring" / "rules.yaml"
HEAD = """\
# Written by make generate from serving/monitoring/rules, where the reasons are: change
# them there.
"""


class Dumper(yaml.SafeDumper):
    """Writes text of several lines as such, and lists one step further in."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Lists are indented, whatever is asked for."""
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _text)


def groups() -> list[dict[str, Any]]:
    """Those of all files, in the order of their names."""
    return [
        group
        for path in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
    ]


def text() -> str:
    """The whole file."""
    made = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "seq2sum"},
        "spec": {"groups": groups()},
    }
    return HEAD + yaml.dump(made, Dumper=Dumper, sort_keys=False, width=100, allow_unicode=True)


if __name__ == "__main__":
    WRITTEN.write_text(text())
