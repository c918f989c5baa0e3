"""`seq2sum-rollout history`: the table, the colors and the JSON."""

from __future__ import annotations

import json

import pytest
from seq2sum_serving.console.event_details import format_value, summarize_details
from seq2sum_serving.console.history import as_json, table
from seq2sum_serving.console.timestamps import clock, local, localize
from seq2sum_serving.deployment.event_log import Event
from support.rendering import shown

pytestmark = pytest.mark.usefixtures("two_hours_east")


def event(kind, version=5, reason="", clock="09:30:02", **details):
    return Event(
        kind, version, reason, details, "r5", "seq2sum", f"2026-07-14T{clock}.123Z", "eva@ops"
    )


EVENTS = [
    event("published", 4, "first of its kind", **{"from": "exports/4"}),
    event(
        "measurement", gate="golden", verdict="Successful", message="1.0 of 1,000", exact_match=1.0
    ),
    event("labels set", stable=2, canary=3),
    event("weights set", clock="23:59:59", stable=95.0, canary=5.0),
    event("rolled back", reason="p99 [bold]doubled[/bold]"),
]


def test_wide_table_has_a_column_for_each_field():
    lines = shown(table(EVENTS), width=140)
    assert lines[0].split() == ["time", "user", "kind", "version", "reason", "details"]
    assert [line.split("  ")[0] for line in lines[2:]] == [
        "2026-07-14 11:30:02",
        "2026-07-14 11:30:02",
        "2026-07-14 11:30:02",
        "2026-07-15 01:59:59",
        "2026-07-14 11:30:02",
    ]
    assert [line[46:].split() for line in lines[2:]] == [
        ["4", "first", "of", "its", "kind", "from", "exports/4"],
        ["5", "golden", "Successful:", "1.0", "of", "1,000"],
        ["5", "stable", "2", "canary", "3"],
        ["5", "stable", "95", "canary", "5"],
        ["5", "p99", "[bold]doubled[/bold]"],
    ]


def test_narrow_table_has_a_row_for_each_day():
    lines = shown(table(EVENTS))
    assert lines[0] == "time        user     kind         version  reason and details"
    assert lines[2:] == [
        "2026-07-14",
        "11:30:02    eva@ops  published          4  first of its kind; from exports/4",
        "11:30:02    eva@ops  measurement        5  golden Successful: 1.0 of 1,000",
        "11:30:02    eva@ops  labels set         5  stable 2 canary 3",
        "2026-07-15",
        "01:59:59    eva@ops  weights set        5  stable 95 canary 5",
        "2026-07-14",
        "11:30:02    eva@ops  rolled back        5  p99 [bold]doubled[/bold]",
    ]


def test_long_host_names_are_shortened():
    long = Event("promoted", 3, "it is better", time=EVENTS[0].time, user="eva@" + "x" * 80)
    assert shown(table([long]))[3] == (
        "11:30:02    eva@xxxxxxxxxxxxxxx…  promoted        3  it is better"
    )


def test_empty_history():
    assert shown(table([])) == ["the history is empty"]


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize(
    ("entry", "colored"),
    [
        (event("promoted"), "\x1b[32mpromoted"),
        (event("failed"), "\x1b[1;31mfailed"),
        (event("rolled back"), "\x1b[1;31mrolled back"),
        (event("measurement", gate="golden", verdict="Successful"), "\x1b[32mmeasurement"),
        (event("measurement", gate="golden", verdict="Failed"), "\x1b[1;31mmeasurement"),
        (event("measurement", gate="golden", verdict="Inconclusive"), "\x1b[33mmeasurement"),
        (event("run ended", outcome="Successful"), "\x1b[32mrun ended"),
        (event("versions set", versions=[1]), "versions set"),
    ],
)
def test_outcomes_have_colors(entry, colored, width):
    assert colored in "\n".join(shown(table([entry]), width=width, terminal=True))
    assert "\x1b" not in "\n".join(shown(table([entry]), width=width))


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (event("published", **{"from": "exports/3"}), "from exports/3"),
        (event("run started"), ""),
        (
            event("measurement", gate="g", verdict="Successful", message="as before"),
            "g Successful: as before",
        ),
        (
            event("measurement", gate="g", verdict="Successful", p99=8.2149, n=1000),
            "g Successful: p99 8.215, n 1000",
        ),
        (event("measurement", gate="g", verdict="Skipped", rss=None), "g Skipped: rss none"),
        (event("measurement"), "? ?"),
        (event("versions set", versions=[2, 3]), "2, 3"),
        (event("labels set", stable=2, canary=3), "stable 2 canary 3"),
        (event("weights set", stable=97.5, canary=2.5), "stable 97.5 canary 2.5"),
        (event("step started", weight=25.0, seconds=60), "weight 25 for 60 s"),
        (event("step completed", weight=25), "weight 25"),
        (event("run ended", outcome="Inconclusive"), "Inconclusive"),
        (event("other", deep={"a": [1, 2]}), "deep a 1, 2"),
    ],
)
def test_summarize_details(entry, text):
    assert summarize_details(entry) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.0"), (0.99912, "0.9991"), (1234567.0, "1.235e+06"), (3, "3"), (True, "True")],
)
def test_floats_keep_a_decimal_point(value, text):
    assert format_value(value) == text


def test_timestamps_are_local():
    assert local("2026-07-14T09:30:02.999Z") == "2026-07-14 11:30:02"
    assert local("yesterday") == "yesterday"
    assert localize("failed on 2026-07-14T09:30:02.999Z: x") == ("failed on 2026-07-14 11:30:02: x")
    assert clock("2026-07-14T09:30:02Z", now="2026-07-14T21:59:59Z") == "11:30:02"
    assert clock("2026-07-14T09:30:02Z", now="2026-07-14T22:00:00Z") == "2026-07-14 11:30:02"


def test_json_has_all_fields_in_utc():
    found = json.loads(json.dumps(as_json(EVENTS)))
    assert len(found) == len(EVENTS)
    assert found[2] == {
        "time": "2026-07-14T09:30:02.123Z",
        "user": "eva@ops",
        "kind": "labels set",
        "model": "seq2sum",
        "version": 5,
        "reason": "",
        "run": "r5",
        "details": {"stable": 2, "canary": 3},
    }
