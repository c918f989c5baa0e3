"""One screen, and how it is shown again and again."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console
from rich.text import Text
from seq2sum import State, VersionStatus
from seq2sum_serving.console.underway import underway
from seq2sum_serving.console.watch import screen, watching
from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import Event
from seq2sum_serving.deployment.state import Current, ModelEntry, Policy, Replica


@pytest.fixture(autouse=True)
def two_hours_east(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")  # a dumb terminal cannot be drawn in place
    monkeypatch.setenv("TZ", "EAST-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def moment(clock):
    return f"2026-07-14T{clock}.000Z"


def event(kind, clock="09:30:00", run="r3", reason="", **details):
    return Event(kind, 3, reason, details, run, "seq2sum", moment(clock), "eva@ops")


def gate(name, verdict="Successful", message="fine", run="r3", **details):
    return event("measurement", run=run, gate=name, verdict=verdict, message=message, **details)


BAKING = event("step started", "09:30:10", weight=25, seconds=60)
NOW = moment("09:30:40")

LOADED = {version: VersionStatus(version, State.AVAILABLE) for version in (2, 3)}
CURRENT = Current(
    (1, 2, 3),
    ModelEntry(Policy("specific", frozenset({2, 3})), {"stable": 2, "canary": 3}),
    [Replica(f"127.0.0.1:{port}", LOADED) for port in (8501, 8502)],
)


def console(*, width=80, terminal=False):
    return Console(
        file=io.StringIO(),
        width=width,
        height=40,
        force_terminal=terminal,
        force_interactive=terminal,
        color_system="standard" if terminal else None,
        no_color=False,
        legacy_windows=False,
    )


def told(*events, current=CURRENT, width=80, terminal=False, probe="53+42 = 95"):
    weights = {"stable": 75.0, "canary": 25.0}
    one = console(width=width, terminal=terminal)
    one.print(
        screen(current, model="seq2sum", weights=weights, events=events, when=NOW, probe=probe)
    )
    return [line.rstrip() for line in one.file.getvalue().splitlines()]


def test_a_screen_in_eighty_columns_without_colours():
    lines = told(
        event("run started"),
        gate("contract"),
        gate("golden", message="exact match 1.0", exact_match=1.0),
        event("labels set", stable=2, canary=3),
        event("weights set", stable=75.0, canary=25.0),
        BAKING,
    )
    assert lines == [
        "seq2sum                                                      2026-07-14 11:30:40",
        "",
        "version  labels  on disk  wanted  :8501      :8502",
        "──────────────────────────────────────────────────────",
        "      3  canary  yes      yes     AVAILABLE  AVAILABLE",
        "      2  stable  yes      yes     AVAILABLE  AVAILABLE",
        "      1          yes      —       —          —",
        "",
        "drift    none",
        "traffic  stable  75 %  version 2  " + "━" * 30,
        "         canary  25 %  version 3  " + "━" * 10,
        "probe    53+42 = 95",
        "run      version 3, began 11:30:00 by eva@ops",
        "         contract  Successful  fine",
        "         golden    Successful  exact match 1.0",
        "         bake at weight 25  30 of 60 s  ━━━━━━━━━━━━━━━━━━━━",
        "events   11:30:00  measurement   3  contract Successful: fine",
        "         11:30:00  measurement   3  golden Successful: exact match 1.0",
        "         11:30:00  labels set    3  stable 2 canary 3",
        "         11:30:00  weights set   3  stable 75 canary 25",
        "         11:30:10  step started  3  weight 25 for 60 s",
    ]


def test_a_screen_of_nothing():
    lines = told(current=Current(recorded=ModelEntry(Policy("specific"))), probe="")
    assert lines[-2:] == ["run      none is under way", "events   nothing was done yet"]
    assert not any(line.startswith("probe") for line in lines)


def test_old_versions_are_counted_and_not_listed():
    many = Current(range(1, 40), CURRENT.recorded, CURRENT.replicas)
    lines = told(current=many)
    assert "and 31 more, neither wanted nor loaded" in lines
    assert lines[4].split()[0] == "39"
    assert lines[11].startswith("      2  stable")


def test_an_event_takes_a_line_unless_it_asks_for_a_person():
    lines = told(
        gate("golden", run="", message="word " * 30),
        event("rolled back", run="", reason="word " * 30),
    )
    events = lines[next(i for i, line in enumerate(lines) if line.startswith("events")) :]
    assert len(events) == 1 + 4
    assert events[0].endswith("…")
    assert sum(line.count("word") for line in events[1:]) == 30


def test_narrow_bars_leave_the_names():
    lines = told(BAKING, width=50)
    assert any(line.startswith("         canary  25 %  version 3  ━") for line in lines)


RUN = event("run started")

RUNS = {
    "no event at all": ([], None),
    "a verb of its own": ([event("promoted", run="")], None),
    "a run that ended": ([RUN, gate("golden"), event("run ended", outcome="Successful")], None),
    "a run that has just begun": ([RUN], ([], None)),
    "the latest of each gate counts": (
        [RUN, gate("a", "Inconclusive"), gate("b"), gate("a", message="now")],
        ([("a", "Successful", "now"), ("b", "Successful", "fine")], None),
    ),
    "a gate without text tells details": (
        [RUN, gate("a", message="", p99=8.5)],
        ([("a", "Successful", "p99 8.5")], None),
    ),
    "gates of another run do not count": ([gate("a", run="r2"), RUN], ([], None)),
    "another run ended": (
        [RUN, event("run ended", run="r2"), gate("a")],
        ([("a", "Successful", "fine")], None),
    ),
    "it bakes": ([RUN, BAKING], ([], (25, 60, 30))),
    "gates report while it bakes": (
        [RUN, BAKING, gate("live")],
        ([("live", "Successful", "fine")], (25, 60, 30)),
    ),
    "a bake that ended": ([RUN, BAKING, event("step completed", weight=25)], ([], None)),
    "a bake that takes longer is full": (
        [RUN, event("step started", "09:00:00", weight=5, seconds=60)],
        ([], (5, 60, 60)),
    ),
    "a clock that was put back": (
        [RUN, event("step started", "10:00:00", weight=5, seconds=60)],
        ([], (5, 60, 0)),
    ),
    "a bake without details": ([RUN, event("step started")], ([], None)),
    "a bake of no seconds": ([RUN, event("step started", weight=5, seconds=0)], ([], None)),
    "a run that was killed and goes on": (
        [RUN, gate("a"), RUN, gate("b")],
        ([("a", "Successful", "fine"), ("b", "Successful", "fine")], None),
    ),
    "a run of the same name that ended before": (
        [RUN, event("run ended", outcome="Inconclusive"), RUN],
        ([], None),
    ),
    "a run without a name": (
        [gate("a", run=""), event("run started", run=""), gate("b", run="")],
        ([("b", "Successful", "fine")], None),
    ),
}


@pytest.mark.parametrize(("events", "expected"), RUNS.values(), ids=RUNS.keys())
def test_the_run_under_way(events, expected):
    found = underway(events, now=NOW)
    if expected is None:
        assert found is None
        return
    gates, bake = expected
    assert found.began.kind == "run started"
    assert list(found.gates) == gates
    assert (found.bake and (found.bake.weight, found.bake.seconds, found.bake.passed)) == bake


class Looks:
    """Gives or raises one thing after the other."""

    def __init__(self, *found):
        self.found = list(found)

    def __call__(self):
        one = self.found.pop(0)
        if isinstance(one, BaseException):
            raise one
        return Text(one)


def test_without_a_terminal_every_look_is_a_block():
    slept, out = [], console()
    looks = Looks("one", Failed("the [disk] is full. Make room"), "three")
    assert watching(looks, every=2.5, count=3, console=out, sleep=slept.append) == 1
    assert out.file.getvalue() == "one\n\n! the [disk] is full. Make room\n\nthree\n"
    assert slept == [2.5, 2.5]


def test_on_a_terminal_it_is_drawn_in_place():
    out = console(terminal=True)
    looks = Looks("one", Failed("gone"), "three")
    assert watching(looks, every=1, count=3, console=out, sleep=lambda _: None) == 1
    text = out.file.getvalue()
    assert text.startswith("\x1b[?25l")  # the cursor hides
    assert "\x1b[?25h" in text
    assert "\x1b[2K" in text  # lines are taken away before they are drawn
    failed = text[text.index("gone") :]
    assert "one" in failed.split("three")[0]  # the last good screen stays below what went wrong


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("where", ["look", "sleep"])
def test_control_c_ends_it_quietly(terminal, where):
    def interrupted(_):
        raise KeyboardInterrupt

    out = console(terminal=terminal)
    looks = Looks("one", KeyboardInterrupt()) if where == "look" else Looks("one")
    sleep = interrupted if where == "sleep" else lambda _: None
    assert watching(looks, every=1, count=None, console=out, sleep=sleep) == 0
    assert "one" in out.file.getvalue()
    assert not terminal or "\x1b[?25h" in out.file.getvalue()


def test_what_is_no_rollout_error_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        watching(Looks(ZeroDivisionError()), every=1, count=1, console=console())
