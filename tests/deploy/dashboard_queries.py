"""The queries of a dashboard as Grafana sends them: with its variables replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
VARIABLE = re.compile(r"\$([a-z_]+|\{[a-z_]+\})")
"""Does not match `$1` of `label_replace`."""
LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Query:
    """A query of a panel."""

    panel: str
    """The panel's title."""
    reference: str
    """The refId, which is unique within the panel."""
    expression: str
    legend: str
    instant: bool

    def __str__(self) -> str:
        return f"{self.panel} {self.reference}"

    def substituted(self, *, window: str, model: str = "seq2sum", replica: str = ".+") -> str:
        """Returns the expression with its variables replaced.

        Args:
            window: `$__rate_interval`; in Grafana at least four scrape intervals.
            model: The selected model.
            replica: A pattern of replicas; by default all, as the dashboard writes it.

        Raises:
            KeyError: The expression has another variable.
        """
        values = {"__rate_interval": window, "model": model, "replica": replica}
        return VARIABLE.sub(lambda found: values[found[1].strip("{}")], self.expression)

    def series_name(self, labels: Mapping[str, str]) -> str:
        """Returns the name of a series in the legend."""
        return LEGEND.sub(lambda found: labels.get(found[1], ""), self.legend).strip()


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields every panel except rows; also those in collapsed rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def of_panel(panel: Mapping[str, Any]) -> list[Query]:
    """Returns the queries of a panel."""
    return [
        Query(panel["title"], each["refId"], each["expr"], each["legendFormat"], each["instant"])
        for each in panel["targets"]
    ]


def of_dashboard(dashboard: Mapping[str, Any]) -> list[Query]:
    """Returns the queries of all panels."""
    return [query for panel in panels(dashboard) for query in of_panel(panel)]


def annotations(dashboard: Mapping[str, Any]) -> list[Query]:
    """Returns the queries of the annotations."""
    return [
        Query(each["name"], "", each["expr"], each["titleFormat"], instant=False)
        for each in dashboard["annotations"]["list"]
        if "expr" in each
    ]
