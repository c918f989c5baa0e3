"""Grafana's dashboard: its structure, and the check that finds structural problems."""

from __future__ import annotations

import copy
import re

import pytest
from deploy import dashboard_queries, dashboard_schema
from deploy import monitoring_files as files
from seq2sum_serving.probe.event_counter import INITIAL_KINDS

DASHBOARD = files.dashboard()
KINDS = re.compile(r'kind=~"([^"]+)"')


def test_dashboard_has_no_structural_problems():
    assert list(dashboard_schema.problems(DASHBOARD)) == []


def panel(board, kind="stat"):
    """The first panel of a type."""
    return next(panel for panel in board["panels"] if panel["type"] == kind)


def query(board, kind="stat"):
    return panel(board, kind)["targets"][0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda board: board.pop("uid"), "the dashboard has no uid"),
        (lambda board: board.update(schemaVersion=30), "schemaVersion 30 is older than 39"),
        (lambda board: board.update(id=4), "id is set: it is valid in one Grafana only"),
        (lambda board: panel(board).update(id=1), "2 panels have the id 1"),
        (lambda board: panel(board, "row").update(collapsed=True), "'Overview' is collapsed"),
        (lambda board: panel(board)["gridPos"].update(x=1), "'Replicas up' overlaps"),
        (lambda board: panel(board)["gridPos"].update(w=40), "wider than 24 columns"),
        (lambda board: panel(board).pop("description"), "has no description"),
        (lambda board: panel(board).update(type="graph"), "has the unknown type graph"),
        (lambda board: panel(board).update(datasource={"uid": "mine"}), "does not use the"),
        (lambda board: panel(board)["targets"].clear(), "has no query"),
        (
            lambda board: panel(board)["fieldConfig"]["defaults"].update(unit="bananas"),
            "has the unit 'bananas'",
        ),
        (
            lambda board: panel(board)["fieldConfig"].update(
                overrides=[{"matcher": {"id": "byName", "options": "gone"}}]
            ),
            "has an override of 'gone', which is not in its legend",
        ),
        (lambda board: query(board).update(expr="up{pod='$pod'}"), "A has no variable $pod"),
        (
            lambda board: query(board, "timeseries").update(expr="rate(a[1m])"),
            "A has a window that does not depend on",
        ),
        (
            lambda board: query(board, "heatmap").update(format="time_series"),
            "A has the format time_series",
        ),
        (lambda board: board["templating"]["list"].reverse(), "does not select a Prometheus"),
    ],
)
def test_structural_problems_are_found(change, expected):
    board = copy.deepcopy(DASHBOARD)
    change(board)
    assert any(expected in problem for problem in dashboard_schema.problems(board))


def test_titles_are_unique():
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert len(set(rows)) == len(rows) >= 10
    titles = [panel["title"] for panel in dashboard_queries.panels(DASHBOARD)]
    assert len(set(titles)) == len(titles)
    variables = [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    assert variables == ["datasource", "model", "replica"]


def test_rollout_annotations_are_placed_at_the_time_of_the_event():
    # The value of the gauge is the time of the event, in contrast to the time of each scrape.
    found = [each for each in DASHBOARD["annotations"]["list"] if "rollout" in each.get("expr", "")]
    assert len(found) == 2
    assert all(each["useValueForTime"] and each["expr"].endswith("* 1000") for each in found)


def test_counted_event_kinds_are_exported_before_their_first_event():
    queries = [
        query.expression
        for each in dashboard_queries.panels(DASHBOARD)
        for query in dashboard_queries.of_panel(each)
        if "seq2sum_probe_rollout_events_total" in query.expression
    ]
    kinds = {kind for text in queries for group in KINDS.findall(text) for kind in group.split("|")}
    assert len(kinds) > 5
    assert kinds <= set(INITIAL_KINDS)


def test_queries_of_metrics_by_model_select_the_model():
    variable = DASHBOARD["templating"]["list"][1]
    assert (variable["multi"], variable["includeAll"], variable["allValue"]) == (True, True, ".+")
    by_model = re.compile(
        r"(:tensorflow:serving:request_\w+|seq2sum_probe_(?!certificate)\w+"
        r"|seq2sum:(?:errors|client_errors|queue_full|queue_timeouts|latency_seconds):\w+)(\{[^}]*\})?"
    )
    panels = [*dashboard_queries.panels(DASHBOARD)]
    queries = [query for each in panels for query in dashboard_queries.of_panel(each)]
    found = [
        (query, selector)
        for query in (*queries, *dashboard_queries.annotations(DASHBOARD))
        for _, selector in by_model.findall(query.expression)
    ]
    assert len(found) > 40
    for query, selector in found:
        assert re.search(r'model(_name)?=~"\$model"', selector), query
    for query in queries:  # a legend with equal names hides a model
        if by_model.search(query.expression) and "sum by (le)" not in query.expression:
            assert "model" in query.legend or query.panel == "Last event of each kind", query


def test_alerts_in_panel_descriptions_exist():
    text = " ".join(panel["description"] for panel in dashboard_queries.panels(DASHBOARD))
    named = set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", text)) - {"TensorFlow"}
    assert named <= set(files.rules("alert"))
    assert len(named) > 10
