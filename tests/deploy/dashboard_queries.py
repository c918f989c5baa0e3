"""What Grafana would ask for a dashboard: every query with its variables filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
VARIABLE = re.compile(r"\$([a-z_]+|\{[a-z_]+\})")
"""Not `$1`, which is what `label_replace` puts in."""
LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Query:
    """One of a panel."""

    panel: str
    """Its title."""
    reference: str
    """Which of the panel's it is."""
    expression: str
    legend: str
    instant: bool

    def __str__(self) -> str:
        return f"{self.panel} {self.reference}"

    def filled(self, values: Mapping[str, str]) -> str:
        """The expression with its variables replaced."""
        return filled(self.expression, values)

    def named(self, labels: Mapping[str, str]) -> str:
        """What the legend calls a series."""
        return LEGEND.sub(lambda found: labels.get(found[1], ""), self.legend).strip()


def values(*, window: str, model: str = "seq2sum", replica: str = ".+") -> dict[str, str]:
    """What variables stand for.

    Args:
        window: Of rates. Grafana takes four scrape intervals at least.
        model: The model that was chosen.
        replica: A pattern of servers; all of them as the dashboard writes it.
    """
    return {"__rate_interval": window, "model": model, "replica": replica}


def filled(expression: str, values: Mapping[str, str]) -> str:
    """A text with its variables replaced; KeyError for one that is not known."""
    return VARIABLE.sub(lambda found: values[found[1].strip("{}")], expression)


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel but rows; those in rows that are closed too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def of_panel(panel: Mapping[str, Any]) -> list[Query]:
    """The queries of one."""
    return [
        Query(panel["title"], one["refId"], one["expr"], one["legendFormat"], one["instant"])
        for one in panel["targets"]
    ]


def of_dashboard(dashboard: Mapping[str, Any]) -> list[Query]:
    """Those of all panels."""
    return [query for panel in panels(dashboard) for query in of_panel(panel)]


def annotations(dashboard: Mapping[str, Any]) -> list[Query]:
    """Those that mark moments across all panels."""
    return [
        Query(one["name"], "", one["expr"], one["titleFormat"], instant=False)
        for one in dashboard["annotations"]["list"]
        if "expr" in one
    ]
