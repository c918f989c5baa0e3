"""What a dashboard shows at a time: what a real Prometheus answers to the queries of its panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from deploy import dashboard_queries as queries
from deploy.prometheus_process import PrometheusProcess, Series, first_step


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of a panel."""

    name: str
    """As its legend calls it."""
    reference: str
    """The query that it comes from."""
    series: Series


@dataclass(frozen=True, slots=True)
class Filled:
    """A panel with its data."""

    panel: Mapping[str, Any]
    lines: Sequence[Shown]

    @property
    def kind(self) -> str:
        return str(self.panel["type"])

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Of its fields."""
        found: Mapping[str, Any] = self.panel["fieldConfig"]["defaults"]
        return found

    @property
    def unit(self) -> str:
        return str(self.defaults["unit"])

    def overridden(self, name: str) -> dict[str, Any]:
        """What is set for one line alone."""
        return {
            told["id"]: told["value"]
            for one in self.panel["fieldConfig"]["overrides"]
            if one["matcher"] == {"id": "byName", "options": name}
            for told in one["properties"]
        }


@dataclass(frozen=True, slots=True)
class Mark:
    """An event across all panels."""

    at: float
    name: str
    colour: str


@dataclass(frozen=True, slots=True)
class View:
    """All of it, for a time."""

    title: str
    begin: float
    """In seconds since 1970."""
    end: float
    every: float
    """Seconds between two points."""
    filled: Sequence[Filled]
    rows: Sequence[Mapping[str, Any]]
    marks: Sequence[Mark]

    def times(self) -> np.ndarray:
        """Those of all points."""
        return np.arange(self.begin, self.end + 1e-6, self.every)


def view(
    dashboard: Mapping[str, Any],
    prometheus: PrometheusProcess,
    begin: float,
    end: float,
    *,
    window: str,
) -> View:
    """Asks everything.

    Args:
        dashboard: Grafana's file.
        prometheus: Whom to ask.
        begin: Of the time that is shown, in seconds since 1970.
        end: The same.
        window: What stands for `$__rate_interval`.
    """
    values = queries.values(window=window)
    step = prometheus.every
    begin = first_step(begin, end, step)

    def lines(panel: Mapping[str, Any]) -> list[Shown]:
        found = []
        for query in queries.of_panel(panel):
            expression = query.filled(values)
            series = (
                prometheus.at(expression, end)
                if query.instant
                else prometheus.over(expression, begin, end, step)
            )
            found += [Shown(query.named(one.labels), query.reference, one) for one in series]
        return found

    marks = [
        Mark(value / 1000, query.named(series.labels), colour)
        for query, colour in _marking(dashboard)
        for series in prometheus.over(query.filled(values), begin, end, step)
        for value in dict.fromkeys(value for _, value in series.points)
        if begin <= value / 1000 <= end
    ]
    return View(
        dashboard["title"],
        begin,
        end,
        step,
        [Filled(panel, lines(panel)) for panel in queries.panels(dashboard)],
        [panel for panel in dashboard["panels"] if panel["type"] == "row"],
        sorted(marks, key=lambda mark: mark.at),
    )


def _marking(dashboard: Mapping[str, Any]) -> list[tuple[queries.Query, str]]:
    """The annotations whose values are moments, with their colours."""
    colours = {one["name"]: one["iconColor"] for one in dashboard["annotations"]["list"]}
    by_value = {
        one["name"] for one in dashboard["annotations"]["list"] if one.get("useValueForTime")
    }
    return [
        (query, colours[query.panel])
        for query in queries.annotations(dashboard)
        if query.panel in by_value
    ]
