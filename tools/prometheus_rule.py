"""Writes the rules of serving/monitoring as a PrometheusRule for the Prometheus operator.

kustomize cannot generate it: it reads no files outside its folder. A test checks that both
agree. After a change of the rules:

    make generate
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
RULES = ROOT / "serving" / "monitoring" / "rules"
OUTPUT = ROOT / "serving" / "kubernetes" / "components" / "monitoring" / "rules.yaml"
HEAD = """\
# Written by make generate from serving/monitoring/rules, which has comments: do not edit.
"""


class Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, and indents lists."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Indents lists regardless of `indentless`."""
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _text)


def groups() -> list[dict[str, Any]]:
    """Returns the rule groups of all files, in the order of their names."""
    return [
        group
        for path in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
    ]


def text() -> str:
    """Returns the content of the file."""
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "seq2sum"},
        "spec": {"groups": groups()},
    }
    return HEAD + yaml.dump(resource, Dumper=Dumper, sort_keys=False, width=100, allow_unicode=True)


if __name__ == "__main__":
    OUTPUT.write_text(text())
