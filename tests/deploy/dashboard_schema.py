"""Whether a file is a dashboard that Grafana shows as it is meant: a strict check of its structure.

Grafana itself is lenient: it drops what it does not know and shows an empty panel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any

from deploy.dashboard_queries import DATASOURCE, VARIABLE, of_panel, panels

COLUMNS = 24
OLDEST_SCHEMA = 39
"""That of Grafana 10.3; older ones are migrated, by rules of their own."""
UNITS = {
    *("none", "short", "percentunit", "reqps"),
    *("s", "ms", "µs", "d", "dateTimeAsIso"),
}
"""Of Grafana's names for units, those that mean something here."""
OWN_VARIABLES = {"__rate_interval", "__interval", "__range"}
OF_DASHBOARD = (
    *("title", "uid", "description", "schemaVersion", "version", "tags", "editable"),
    *("panels", "templating", "annotations", "time", "refresh", "timezone", "graphTooltip"),
)
OF_PANEL = (
    *("id", "type", "title", "description", "datasource", "gridPos"),
    *("fieldConfig", "options", "targets"),
)
OF_TARGET = ("refId", "datasource", "expr", "format", "instant", "range", "legendFormat")
OPTIONS = {
    "stat": ("colorMode", "graphMode", "reduceOptions", "textMode"),
    "timeseries": ("legend", "tooltip"),
    "heatmap": ("calculate", "color", "yAxis", "tooltip", "legend"),
    "state-timeline": ("alignValue", "mergeValues", "rowHeight", "showValue", "legend", "tooltip"),
    "bargauge": ("displayMode", "orientation", "reduceOptions", "valueMode"),
    "table": ("cellHeight", "showHeader"),
}
"""What each type of panel has to be told; all of these types are part of Grafana."""


def problems(dashboard: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong, a line each."""
    missing = list(_missing(dashboard, OF_DASHBOARD))
    if missing:
        yield f"the dashboard has no {', '.join(missing)}"
        return
    if dashboard["schemaVersion"] < OLDEST_SCHEMA:
        yield f"schemaVersion {dashboard['schemaVersion']} is older than {OLDEST_SCHEMA}"
    if dashboard.get("id") is not None:
        yield "id is a number of one Grafana alone"
    yield from _numbers(dashboard["panels"])
    yield from _places(dashboard["panels"])
    known = {variable["name"] for variable in dashboard["templating"]["list"]} | OWN_VARIABLES
    yield from _variables(dashboard["templating"]["list"])
    for panel in panels(dashboard):
        yield from (f"{panel.get('title')!r} {text}" for text in _panel(panel, known))
    for one in dashboard["annotations"]["list"]:
        if "expr" in one and one["datasource"] != DATASOURCE:
            yield f"annotation {one['name']!r} asks another data source"


def _numbers(found: list[Mapping[str, Any]]) -> Iterator[str]:
    for number, count in Counter(panel.get("id") for panel in found).items():
        if count > 1 or not isinstance(number, int):
            yield f"{count} panels have the id {number}"
    for panel in found:
        if panel["type"] == "row" and (panel["collapsed"] or panel["panels"]):
            yield f"row {panel['title']!r} is closed: what is in it would not be seen"


def _panel(panel: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    missing = list(_missing(panel, OF_PANEL))
    if missing:
        yield f"has no {', '.join(missing)}"
        return
    if panel["type"] not in OPTIONS:
        yield f"is a {panel['type']}, which nobody has"
        return
    yield from (
        f"has no option {name}" for name in _missing(panel["options"], OPTIONS[panel["type"]])
    )
    if len(panel["description"]) < 20:  # as long as a sentence that says something
        yield "is not described"
    if panel["datasource"] != DATASOURCE:
        yield "does not ask the data source that was chosen"
    defaults = panel["fieldConfig"]["defaults"]
    if defaults.get("unit") not in UNITS:
        yield f"has the unit {defaults.get('unit')!r}"
    yield from _steps(defaults.get("thresholds", {}).get("steps", []))
    yield from _targets(panel, known)


def _targets(panel: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    if not panel["targets"]:
        yield "asks nothing"
    for target in panel["targets"]:
        yield from (f"has a query without {name}" for name in _missing(target, OF_TARGET))
        if target["datasource"] != DATASOURCE:
            yield f"{target['refId']} does not ask the data source that was chosen"
        if target["instant"] == target["range"]:
            yield f"{target['refId']} has to be either instant or a range"
        heat = panel["type"] == "heatmap"
        if heat != (target["format"] == "heatmap"):
            yield f"{target['refId']} has the format {target['format']}"
    references = [target["refId"] for target in panel["targets"]]
    if len(set(references)) < len(references):
        yield "has two queries of one refId"
    for query in of_panel(panel):
        used = {found.strip("{}") for found in VARIABLE.findall(query.expression)}
        yield from (f"{query.reference} has no variable ${name}" for name in used - known)
        if "rate(" in query.expression and "[$__rate_interval]" not in query.expression:
            yield f"{query.reference} has a window that does not grow with the time that is shown"


def _steps(steps: list[Mapping[str, Any]]) -> Iterator[str]:
    values = [step["value"] for step in steps]
    if not values or values[0] is not None or None in values[1:]:
        yield "has thresholds without a beginning"
    elif values[1:] != sorted(values[1:]):
        yield "has thresholds out of order"


def _variables(variables: list[Mapping[str, Any]]) -> Iterator[str]:
    first = variables[0] if variables else {}
    if (first.get("type"), first.get("query")) != ("datasource", "prometheus"):
        yield "the first variable does not choose a Prometheus"
    for variable in variables[1:]:
        if variable["datasource"] != DATASOURCE:
            yield f"variable {variable['name']} does not ask the data source that was chosen"
        if variable["query"]["query"] != variable["definition"]:
            yield f"variable {variable['name']} shows another query than it asks"


def _places(found: list[Mapping[str, Any]]) -> Iterator[str]:
    for panel in found:
        place = panel["gridPos"]
        if min(place["x"], place["y"]) < 0 or min(place["w"], place["h"]) < 1:
            yield f"{panel['title']!r} has no place"
        if place["x"] + place["w"] > COLUMNS:
            yield f"{panel['title']!r} is wider than {COLUMNS} columns"
    for one, other in combinations(found, 2):
        if _overlap(one["gridPos"], other["gridPos"]):
            yield f"{one['title']!r} lies on {other['title']!r}"


def _overlap(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "w"), ("y", "h"))
    )


def _missing(there: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if name not in there)
