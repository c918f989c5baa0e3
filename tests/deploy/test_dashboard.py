"""Grafana's dashboard as a file: its structure, and that the check of it finds what is wrong."""

from __future__ import annotations

import copy
import re

import pytest
from deploy import dashboard_queries, dashboard_schema
from deploy import monitoring_files as files

DASHBOARD = files.dashboard()


def test_grafana_can_show_it():
    assert list(dashboard_schema.problems(DASHBOARD)) == []


def first(kind):
    """The place of the first panel of a kind."""
    return [panel["type"] for panel in DASHBOARD["panels"]].index(kind)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda board: board.pop("uid"), "the dashboard has no uid"),
        (lambda board: board.update(schemaVersion=30), "schemaVersion 30 is older than 39"),
        (lambda board: board.update(id=4), "id is a number of one Grafana alone"),
        (lambda board: board["panels"][1].update(id=1), "2 panels have the id 1"),
        (lambda board: board["panels"][0].update(collapsed=True), "row 'Now' is closed"),
        (lambda board: board["panels"][1]["gridPos"].update(x=1), "'Servers up' lies on"),
        (lambda board: board["panels"][1]["gridPos"].update(w=40), "wider than 24 columns"),
        (lambda board: board["panels"][1].pop("description"), "has no description"),
        (lambda board: board["panels"][1].update(type="graph"), "is a graph, which nobody has"),
        (lambda board: board["panels"][1].update(datasource={"uid": "mine"}), "does not ask"),
        (lambda board: board["panels"][1]["targets"].clear(), "asks nothing"),
        (
            lambda board: board["panels"][1]["fieldConfig"]["defaults"].update(unit="bananas"),
            "has the unit 'bananas'",
        ),
        (
            lambda board: board["panels"][1]["targets"][0].update(expr="up{pod='$pod'}"),
            "A has no variable $pod",
        ),
        (
            lambda board: board["panels"][first("timeseries")]["targets"][0].update(
                expr="rate(a[1m])"
            ),
            "A has a window that does not grow",
        ),
        (
            lambda board: board["panels"][first("heatmap")]["targets"][0].update(
                format="time_series"
            ),
            "A has the format time_series",
        ),
        (lambda board: board["templating"]["list"].reverse(), "does not choose a Prometheus"),
    ],
)
def test_what_is_wrong_is_found(spoil, expected):
    board = copy.deepcopy(DASHBOARD)
    spoil(board)
    assert any(expected in problem for problem in dashboard_schema.problems(board))


def test_it_shows_what_an_operator_asks_for():
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert len(set(rows)) == len(rows) >= 10
    titles = [panel["title"] for panel in dashboard_queries.panels(DASHBOARD)]
    assert len(set(titles)) == len(titles)
    variables = [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    assert variables == ["datasource", "model", "replica"]


def test_events_of_rollouts_are_marked_when_they_were():
    # A gauge's value is the time of the event; the time of a scrape would be that of all scrapes.
    marked = [one for one in DASHBOARD["annotations"]["list"] if "rollout" in one.get("expr", "")]
    assert len(marked) == 2
    assert all(one["useValueForTime"] and one["expr"].endswith("* 1000") for one in marked)


def test_every_alert_that_a_panel_names_is_there():
    told = " ".join(panel["description"] for panel in dashboard_queries.panels(DASHBOARD))
    named = set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", told)) - {"TensorFlow"}
    assert named <= set(files.alerts())
    assert len(named) > 10
