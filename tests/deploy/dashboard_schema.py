"""A strict check of a dashboard's structure.

Grafana itself is lenient: it drops what it does not know, and shows an empty panel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any

from deploy.dashboard_queries import DATASOURCE, LEGEND, VARIABLE, of_panel, panels

COLUMNS = 24
OLDEST_SCHEMA = 39
"""The schema version of Grafana 10.3; Grafana migrates older dashboards."""
UNITS = {
    *("none", "short", "percentunit", "reqps"),
    *("s", "ms", "µs", "d", "dateTimeAsIso"),
}
"""The units of Grafana that this dashboard uses."""
BUILT_IN_VARIABLES = {"__rate_interval", "__interval", "__range"}
DASHBOARD_FIELDS = (
    *("title", "uid", "description", "schemaVersion", "version", "tags", "editable"),
    *("panels", "templating", "annotations", "time", "refresh", "timezone", "graphTooltip"),
)
PANEL_FIELDS = (
    *("id", "type", "title", "description", "datasource", "gridPos"),
    *("fieldConfig", "options", "targets"),
)
TARGET_FIELDS = ("refId", "datasource", "expr", "format", "instant", "range", "legendFormat")
OPTIONS = {
    "stat": ("colorMode", "graphMode", "reduceOptions", "textMode"),
    "timeseries": ("legend", "tooltip"),
    "heatmap": ("calculate", "color", "yAxis", "tooltip", "legend"),
    "state-timeline": ("alignValue", "mergeValues", "rowHeight", "showValue", "legend", "tooltip"),
    "bargauge": ("displayMode", "orientation", "reduceOptions", "valueMode"),
    "table": ("cellHeight", "showHeader"),
}
"""The required options of each panel type; all types are part of Grafana."""


def problems(dashboard: Mapping[str, Any]) -> Iterator[str]:
    """Yields the problems of a dashboard, one line each."""
    missing = list(_missing(dashboard, DASHBOARD_FIELDS))
    if missing:
        yield f"the dashboard has no {', '.join(missing)}"
        return
    if dashboard["schemaVersion"] < OLDEST_SCHEMA:
        yield f"schemaVersion {dashboard['schemaVersion']} is older than {OLDEST_SCHEMA}"
    if dashboard.get("id") is not None:
        yield "id is set: it is valid in one Grafana only"
    yield from _ids(dashboard["panels"])
    yield from _positions(dashboard["panels"])
    known = {variable["name"] for variable in dashboard["templating"]["list"]} | BUILT_IN_VARIABLES
    yield from _variables(dashboard["templating"]["list"])
    for panel in panels(dashboard):
        yield from (f"{panel.get('title')!r} {text}" for text in _panel(panel, known))
    for annotation in dashboard["annotations"]["list"]:
        if "expr" in annotation and annotation["datasource"] != DATASOURCE:
            yield f"annotation {annotation['name']!r} has another data source"


def _ids(panels: list[Mapping[str, Any]]) -> Iterator[str]:
    for number, count in Counter(panel.get("id") for panel in panels).items():
        if count > 1 or not isinstance(number, int):
            yield f"{count} panels have the id {number}"
    for panel in panels:
        if panel["type"] == "row" and (panel["collapsed"] or panel["panels"]):
            yield f"row {panel['title']!r} is collapsed, which hides its panels"


def _panel(panel: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    missing = list(_missing(panel, PANEL_FIELDS))
    if missing:
        yield f"has no {', '.join(missing)}"
        return
    if panel["type"] not in OPTIONS:
        yield f"has the unknown type {panel['type']}"
        return
    yield from (
        f"has no option {name}" for name in _missing(panel["options"], OPTIONS[panel["type"]])
    )
    if len(panel["description"]) < 20:  # less than a sentence
        yield "has no useful description"
    if panel["datasource"] != DATASOURCE:
        yield "does not use the selected data source"
    defaults = panel["fieldConfig"]["defaults"]
    if defaults.get("unit") not in UNITS:
        yield f"has the unit {defaults.get('unit')!r}"
    yield from _thresholds(defaults.get("thresholds", {}).get("steps", []))
    yield from _overrides(panel)
    yield from _targets(panel, known)


def _targets(panel: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    if not panel["targets"]:
        yield "has no query"
    for target in panel["targets"]:
        yield from (f"has a query without {name}" for name in _missing(target, TARGET_FIELDS))
        if target["datasource"] != DATASOURCE:
            yield f"{target['refId']} does not use the selected data source"
        if target["instant"] == target["range"]:
            yield f"{target['refId']} must be either instant or a range"
        if (panel["type"] == "heatmap") != (target["format"] == "heatmap"):
            yield f"{target['refId']} has the format {target['format']}"
    references = [target["refId"] for target in panel["targets"]]
    if len(set(references)) < len(references):
        yield "has two queries with the same refId"
    for query in of_panel(panel):
        used = {found.strip("{}") for found in VARIABLE.findall(query.expression)}
        yield from (f"{query.reference} has no variable ${name}" for name in used - known)
        if "rate(" in query.expression and "[$__rate_interval]" not in query.expression:
            yield f"{query.reference} has a window that does not depend on the time range"


def _overrides(panel: Mapping[str, Any]) -> Iterator[str]:
    legends = [query.legend for query in of_panel(panel)]
    for override in panel["fieldConfig"].get("overrides", ()):
        matcher = override["matcher"]
        templated = any(LEGEND.search(legend) for legend in legends)
        if matcher["id"] == "byName" and not templated and matcher["options"] not in legends:
            yield f"has an override of {matcher['options']!r}, which is not in its legend"


def _thresholds(steps: list[Mapping[str, Any]]) -> Iterator[str]:
    values = [step["value"] for step in steps]
    if not values or values[0] is not None or None in values[1:]:
        yield "has thresholds without a base"
    elif values[1:] != sorted(values[1:]):
        yield "has thresholds out of order"


def _variables(variables: list[Mapping[str, Any]]) -> Iterator[str]:
    first = variables[0] if variables else {}
    if (first.get("type"), first.get("query")) != ("datasource", "prometheus"):
        yield "the first variable does not select a Prometheus"
    for variable in variables[1:]:
        if variable["datasource"] != DATASOURCE:
            yield f"variable {variable['name']} does not use the selected data source"
        if variable["query"]["query"] != variable["definition"]:
            yield f"variable {variable['name']} displays another query than it runs"


def _positions(panels: list[Mapping[str, Any]]) -> Iterator[str]:
    for panel in panels:
        grid = panel["gridPos"]
        if min(grid["x"], grid["y"]) < 0 or min(grid["w"], grid["h"]) < 1:
            yield f"{panel['title']!r} has an invalid position or size"
        if grid["x"] + grid["w"] > COLUMNS:
            yield f"{panel['title']!r} is wider than {COLUMNS} columns"
    for first, second in combinations(panels, 2):
        if _overlap(first["gridPos"], second["gridPos"]):
            yield f"{first['title']!r} overlaps {second['title']!r}"


def _overlap(first: Mapping[str, int], second: Mapping[str, int]) -> bool:
    return all(
        first[start] < second[start] + second[size] and second[start] < first[start] + first[size]
        for start, size in (("x", "w"), ("y", "h"))
    )


def _missing(fields: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if name not in fields)
