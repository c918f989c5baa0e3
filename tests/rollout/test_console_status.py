"""The status as text and as JSON."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from seq2sum import State, VersionStatus
from seq2sum_serving.console.status import as_json, report
from seq2sum_serving.console.versions import rows, short_addresses
from seq2sum_serving.console.weights import shares
from seq2sum_serving.deployment.state import Current, ModelEntry, Policy, Replica
from support.rendering import shown

LOCAL = ("127.0.0.1:8501", "127.0.0.1:8502", "127.0.0.1:8503")
STATES = {
    0: "AVAILABLE LOADING UNLOADING END END",
    1: "AVAILABLE AVAILABLE AVAILABLE START END",
    2: "AVAILABLE END AVAILABLE END END",
}
"""States of versions 5 to 1, by replica."""
ERRORS = {(2, 4): "OUT_OF_RANGE: [/b] Read \x1b[2Jless\ntrace", (0, 2): "NOT_FOUND: nothing there"}


def current(targets=LOCAL, **changes):
    replicas = [
        Replica(
            target,
            {
                version: VersionStatus(version, State[word], ERRORS.get((index, version), ""))
                for version, word in zip(range(5, 0, -1), STATES[index % 3].split(), strict=True)
            },
            {"stable": 5, "canary": 4 if index == 1 else None},
        )
        for index, target in enumerate(targets)
    ]
    recorded = ModelEntry(
        Policy("specific", frozenset({3, 4, 5})),
        {"stable": 5, "canary": 4, "previous": 3, "blue": 3},
    )
    values = {
        "on_disk": (1, 2, 4, 5),
        "recorded": recorded,
        "replicas": replicas,
        "burned": {2: "failed on 2026-07-14T09:11:02.113Z: golden"},
    }
    return Current(**{**values, **changes})


def lines_of(state, *, width=80, terminal=False, weights=None):
    weights = {"stable": 75.0, "canary": 25.0} if weights is None else weights
    return shown(report(state, model="seq2sum", weights=weights), width=width, terminal=terminal)


def test_report_fits_eighty_columns_without_colors():
    lines = lines_of(current())
    assert lines[:9] == [
        "seq2sum",
        "",
        "version  labels          on disk  aspired  :8501      :8502      :8503",
        "──────────────────────────────────────────────────────────────────────────",
        "      5  stable          yes      yes      AVAILABLE  AVAILABLE  AVAILABLE",
        "      4  canary          yes      yes      LOADING    AVAILABLE  FAILED",
        "      3  previous, blue  missing  yes      UNLOADING  AVAILABLE  AVAILABLE",
        "      2  burned          yes      —        FAILED     START      END",
        "      1                  yes      —        END        END        END",
    ]
    assert lines[9:11] == ["", "traffic  stable 75 % (version 5), canary 25 % (version 4)"]
    text = "\n".join(lines)
    assert "drift    ! version 3 is aspired, and is missing on disk\n" in text
    assert "         ! label canary should be version 4, and is unset on" in text
    assert "burned   - version 2: failed on 2026-07-14 " in text
    assert "\x1b" not in text


def test_report_escapes_text_of_servers():
    text = "\n".join(lines_of(current(), width=200))
    assert "failed to load (END) on 127.0.0.1:8503: OUT_OF_RANGE: [/b] Read \\x1b[2Jless\n" in text


@pytest.mark.parametrize(
    ("state", "error", "down", "shown_text"),
    [
        (State.AVAILABLE, "", "", "\x1b[32mAVAILABLE"),
        (State.LOADING, "", "", "\x1b[33mLOADING"),
        (State.START, "", "", "\x1b[33mSTART"),
        (State.UNLOADING, "", "", "\x1b[2mUNLOADING"),
        (State.END, "", "", "\x1b[2mEND"),
        (State.END, "NOT_FOUND: x", "", "\x1b[1;31mFAILED"),
        (State.AVAILABLE, "", "refused", "\x1b[31mno answer"),
    ],
)
def test_states_have_colors(state, error, down, shown_text):
    replica = Replica("a:1", {1: VersionStatus(1, state, error)}, error=down)
    found = Current((1,), ModelEntry(Policy("specific", frozenset({1}))), [replica])
    assert shown_text in "\n".join(lines_of(found, terminal=True))


FAR = [f"seq2sum-{number}.models.svc.cluster.local:8500" for number in range(9)]


@pytest.mark.parametrize(
    ("targets", "headings"),
    [
        (LOCAL, ":8501      :8502      :8503"),
        (["10.0.0.11:8500", "10.0.0.12:8500"], "10.0.0.11  10.0.0.12"),
        (FAR[:3], "seq2sum-0  seq2sum-1  seq2sum-2"),
        (["server.example.org:1", "other.example.org:2", "other.example.org:3"], "#1"),
        (FAR, "replicas"),
        ([], "aspired"),
    ],
)
def test_layout_of_replicas_fits_the_width(targets, headings):
    lines = lines_of(current(targets))
    assert lines[2].endswith(headings) or f"  {headings}  " in lines[2]
    assert all(len(line) <= 80 for line in lines)
    if headings == "#1":
        assert "#3 other.example.org:3" in lines
    if headings == "replicas":
        assert lines[4].endswith("9 AVAILABLE")


def test_ascii_terminals_get_a_short_dash():
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(file=out, width=80, force_terminal=False, legacy_windows=False)
    console.print(report(current(), model="seq2sum", weights={"stable": 1.0}))
    out.flush()
    assert b"burned         |yes     |-       |" in out.buffer.getvalue()


def test_report_shows_why_a_version_failed():
    lines = lines_of(current(burned={}))
    assert "failed   - version 2 on 127.0.0.1:8501: NOT_FOUND: nothing there" in lines


def test_report_without_drift():
    found = Current(
        (1,),
        ModelEntry(Policy("specific", frozenset({1})), {"stable": 1, "canary": 1, "previous": 1}),
        [Replica("a:1", {1: VersionStatus(1, State.AVAILABLE)}, {"stable": 1, "canary": 1})],
    )
    lines = lines_of(found, weights={})
    assert lines[4] == "      1  stable  yes      yes      AVAILABLE"
    assert lines[-3:] == [
        "traffic  no weights are set: clients choose",
        "         unlabelled calls go to version 1",
        "drift    none",
    ]


def test_report_of_an_empty_deployment():
    assert "drift    ! no version is stable in the model config file" in "\n".join(
        lines_of(Current(recorded=ModelEntry(Policy("specific"))))
    )


@pytest.mark.parametrize(
    ("recorded", "version", "expected"),
    [
        ({"stable": 2, "canary": 2, "previous": 1}, 2, ["stable"]),
        ({"stable": 2, "canary": 3, "previous": 2}, 3, ["canary"]),
        ({"zebra": 2, "previous": 2, "ant": 2, "stable": 1}, 2, ["previous", "ant", "zebra"]),
        ({"stable": 2}, 1, []),
    ],
)
def test_labels_of_a_version_start_with_those_of_rollouts(recorded, version, expected):
    assert Current(recorded=ModelEntry(labels=recorded)).labels_of(version) == expected


@pytest.mark.parametrize(
    ("max_rows", "expected"),
    [
        (None, [9, 8, 7, 6, 5, 4, 3, 2]),
        (8, [9, 8, 7, 6, 5, 4, 3, 2]),
        (5, [9, 8, 5, 4, 3]),
        (1, [5, 4, 3]),
    ],
)
def test_limited_rows_are_versions_in_use_and_the_newest(max_rows, expected):
    replica = Replica(
        "a:1",
        {3: VersionStatus(3, State.AVAILABLE), 2: VersionStatus(2, State.END)},
    )
    recorded = ModelEntry(Policy("specific", frozenset({4})), {"stable": 5})
    assert rows(Current((6, 7, 8, 9), recorded, [replica]), max_rows=max_rows) == expected


@pytest.mark.parametrize(
    ("targets", "headings"),
    [
        (["a:1"], ["a:1"]),
        (["a:1", "a:2"], [":1", ":2"]),
        (["x-0.m.svc:1", "x-1.m.svc:1"], ["x-0", "x-1"]),
        (["10.0.0.1:1", "10.1.0.1:1"], ["10.0.0.1", "10.1.0.1"]),
        (["[::1]:1", "[::2]:1"], ["[::1]", "[::2]"]),
        (["a:1", "b:2"], ["a:1", "b:2"]),
        (["a.b:1", "b:1"], ["a.b", "b"]),
        (["unix:/a", "unix:/b"], ["unix:/a", "unix:/b"]),
        ([], []),
    ],
)
def test_short_addresses_remain_distinct(targets, headings):
    assert short_addresses(targets) == headings


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"stable": 95.0, "canary": 5.0}, {"stable": 0.95, "canary": 0.05}),
        ({"stable": 1.0, "canary": 0.0}, {"stable": 1, "canary": 0}),
        ({"stable": 1.0, "canary": -3.0}, {"stable": 1, "canary": 0}),
        ({"stable": 1.0, "canary": float("nan")}, {"stable": 1, "canary": 0}),
        ({"stable": 1.0, "canary": float("inf")}, {"stable": 1, "canary": 0}),
        ({"stable": 0.0}, {}),
        ({}, {}),
    ],
)
def test_shares_of_the_traffic(weights, expected):
    assert shares(weights) == pytest.approx(expected)


def test_json_has_the_whole_status():
    found = json.loads(json.dumps(as_json(current(), model="seq2sum", weights={"stable": 1.0})))
    assert found["model"] == "seq2sum"
    assert (found["stable"], found["canary"], found["previous"]) == (5, 4, 3)
    assert found["policy"] == {"kind": "specific", "versions": [3, 4, 5], "count": 1}
    assert [each["version"] for each in found["versions"]] == [5, 4, 3, 2, 1]
    assert found["versions"][1] == {
        "version": 4,
        "labels": ["canary"],
        "on_disk": True,
        "aspired": True,
        "burned": None,
        "replicas": {
            "127.0.0.1:8501": {"state": "LOADING", "error": ""},
            "127.0.0.1:8502": {"state": "AVAILABLE", "error": ""},
            "127.0.0.1:8503": {"state": "END", "error": ERRORS[2, 4]},
        },
    }
    assert found["labels"]["recorded"] == {"stable": 5, "canary": 4, "previous": 3, "blue": 3}
    assert found["labels"]["replicas"]["127.0.0.1:8501"] == {"stable": 5, "canary": None}
    assert found["burned"] == {"2": "failed on 2026-07-14T09:11:02.113Z: golden"}
    assert found["weights"] == {"stable": 1.0}
    assert "version 3 is aspired, and is missing on disk" in found["drift"]


def test_json_shows_a_replica_that_is_down():
    found = as_json(
        Current((1,), replicas=[Replica("a:1", error="refused")]), model="m", weights={}
    )
    assert found["replicas"] == [{"target": "a:1", "up": False, "error": "refused"}]
    assert found["versions"][0]["replicas"] == {"a:1": {"state": None, "error": "refused"}}
    assert found["labels"]["replicas"] == {}
