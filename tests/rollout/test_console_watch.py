"""`seq2sum-rollout watch`: the screen, and its updates."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text
from seq2sum import State, VersionStatus
from seq2sum_serving.console.event_details import measurement_text
from seq2sum_serving.console.watch import screen, watch
from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import Event, Verdict
from seq2sum_serving.deployment.run_state import open_run
from seq2sum_serving.deployment.state import Current, ModelEntry, Policy, Replica

pytestmark = pytest.mark.usefixtures("two_hours_east")


@pytest.fixture(autouse=True)
def terminal_type(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")  # rich cannot update a dumb terminal in place


def timestamp(clock):
    return f"2026-07-14T{clock}.000Z"


def event(kind, clock="09:30:00", run="r3", reason="", **details):
    return Event(kind, 3, reason, details, run, "seq2sum", timestamp(clock), "eva@ops")


def gate(name, verdict="Successful", message="fine", run="r3", **details):
    return event("measurement", run=run, gate=name, verdict=verdict, message=message, **details)


STEP = event("step started", "09:30:10", weight=25, seconds=60)
NOW = timestamp("09:30:40")

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


def lines_of(*events, current=CURRENT, width=80, terminal=False, probe="53+42 = 95"):
    weights = {"stable": 75.0, "canary": 25.0}
    out = console(width=width, terminal=terminal)
    out.print(
        screen(current, model="seq2sum", weights=weights, events=events, now=NOW, probe=probe)
    )
    return [line.rstrip() for line in out.file.getvalue().splitlines()]


def test_screen_in_eighty_columns_without_colors():
    lines = lines_of(
        event("run started"),
        gate("contract"),
        gate("golden", message="exact match 1.0", exact_match=1.0),
        event("labels set", stable=2, canary=3),
        event("weights set", stable=75.0, canary=25.0),
        STEP,
    )
    assert lines == [
        "seq2sum                                                      2026-07-14 11:30:40",
        "",
        "version  labels  on disk  aspired  :8501      :8502",
        "───────────────────────────────────────────────────────",
        "      3  canary  yes      yes      AVAILABLE  AVAILABLE",
        "      2  stable  yes      yes      AVAILABLE  AVAILABLE",
        "      1          yes      —        —          —",
        "",
        "drift    none",
        "traffic  stable  75 %  version 2  " + "━" * 30,
        "         canary  25 %  version 3  " + "━" * 10,
        "         ! unlabelled calls go to version 3, and stable is version 2",
        "probe    53+42 = 95",
        "run      version 3, started 11:30:00 by eva@ops",
        "         contract  Successful  fine",
        "         golden    Successful  exact match 1.0",
        "         step at weight 25  30 of 60 s  ━━━━━━━━━━━━━━━━━━━━",
        "events   11:30:00  measurement   3  contract Successful: fine",
        "         11:30:00  measurement   3  golden Successful: exact match 1.0",
        "         11:30:00  labels set    3  stable 2 canary 3",
        "         11:30:00  weights set   3  stable 75 canary 25",
        "         11:30:10  step started  3  weight 25 for 60 s",
    ]


def test_screen_of_an_empty_deployment():
    lines = lines_of(current=Current(recorded=ModelEntry(Policy("specific"))), probe="")
    assert lines[-2:] == ["run      none in progress", "events   the history is empty"]
    assert not any(line.startswith("probe") for line in lines)


def test_versions_not_in_use_are_counted():
    many = Current(range(1, 40), CURRENT.recorded, CURRENT.replicas)
    lines = lines_of(current=many)
    assert "and 31 more, not in use" in lines
    assert lines[4].split()[0] == "39"
    assert lines[11].startswith("      2  stable")


def test_only_failures_take_more_than_a_line():
    lines = lines_of(
        gate("golden", run="", message="word " * 30),
        event("rolled back", run="", reason="word " * 30),
    )
    events = lines[next(i for i, line in enumerate(lines) if line.startswith("events")) :]
    assert len(events) == 1 + 4
    assert events[0].endswith("…")
    assert sum(line.count("word") for line in events[1:]) == 30


def test_bars_leave_room_for_labels():
    lines = lines_of(STEP, width=50)
    assert any(line.startswith("         canary  25 %  version 3  ━") for line in lines)


RUN = event("run started")

RUNS = {
    "no events": ([], None),
    "an event outside of runs": ([event("promoted", run="")], None),
    "a run that ended": ([RUN, gate("golden"), event("run ended", outcome="Successful")], None),
    "a run that has just started": ([RUN], ([], None)),
    "the latest of each gate counts": (
        [RUN, gate("a", "Inconclusive"), gate("b"), gate("a", message="now")],
        ([("a", "Successful", "now"), ("b", "Successful", "fine")], None),
    ),
    "a measurement without message shows its values": (
        [RUN, gate("a", message="", p99=8.5)],
        ([("a", "Successful", "p99 8.5")], None),
    ),
    "gates of another run do not count": ([gate("a", run="r2"), RUN], ([], None)),
    "another run ended": (
        [RUN, event("run ended", run="r2"), gate("a")],
        ([("a", "Successful", "fine")], None),
    ),
    "a step in progress": ([RUN, STEP], ([], (25, 60, 30))),
    "a measurement during a step": (
        [RUN, STEP, gate("live")],
        ([("live", "Successful", "fine")], (25, 60, 30)),
    ),
    "a completed step": ([RUN, STEP, event("step completed", weight=25)], ([], None)),
    "a step that takes longer": (
        [RUN, event("step started", "09:00:00", weight=5, seconds=60)],
        ([], (5, 60, 60)),
    ),
    "a clock that was set back": (
        [RUN, event("step started", "10:00:00", weight=5, seconds=60)],
        ([], (5, 60, 0)),
    ),
    "a step with an invalid time": (
        [RUN, event("step started", "yesterday", weight=5, seconds=60)],
        ([], None),
    ),
    "a step without details": ([RUN, event("step started")], ([], None)),
    "a step of no seconds": ([RUN, event("step started", weight=5, seconds=0)], ([], None)),
    "a resumed run": (
        [RUN, gate("a"), RUN, gate("b")],
        ([("a", "Successful", "fine"), ("b", "Successful", "fine")], None),
    ),
    "a run with the identifier of an ended one": (
        [RUN, event("run ended", outcome="Inconclusive"), RUN],
        ([], None),
    ),
    "a run without identifier": (
        [gate("a", run=""), event("run started", run=""), gate("b", run="")],
        ([("b", "Successful", "fine")], None),
    ),
}


@pytest.mark.parametrize(("events", "expected"), RUNS.values(), ids=RUNS.keys())
def test_open_run_has_measurements_and_step(events, expected):
    run = open_run(events)
    if expected is None:
        assert run is None
        return
    measurements, step = expected
    assert [
        (gate, details["verdict"], measurement_text(details))
        for gate, details in run.measurements.items()
    ] == measurements
    progress = run.step_progress(NOW)
    assert (progress and (progress.weight, progress.seconds, progress.elapsed)) == step


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.SUCCESSFUL, "32"),
        (Verdict.FAILED, "1;31"),
        (Verdict.INCONCLUSIVE, "33"),
        (Verdict.ERROR, "33"),
        (Verdict.SKIPPED, "2"),
    ],
)
def test_verdicts_have_colors(verdict, code):
    lines = lines_of(RUN, gate("golden", str(verdict)), terminal=True)
    assert f"\x1b[{code}m{verdict}" in "\n".join(lines)


class Screens:
    """Returns one screen per call; raises the exceptions among them."""

    def __init__(self, *screens):
        self.screens = list(screens)

    def __call__(self):
        screen = self.screens.pop(0)
        if isinstance(screen, BaseException):
            raise screen
        return Text(screen)


def test_updates_without_a_terminal_are_blocks():
    slept, out = [], console()
    screens = Screens("one", Failed("the [disk] is full. Make room"), "three")
    assert watch(screens, interval=2.5, count=3, console=out, sleep=slept.append) == 1
    assert out.file.getvalue() == "one\n\n! the [disk] is full. Make room\n\nthree\n"
    assert slept == [2.5, 2.5]


def test_updates_on_a_terminal_are_in_place():
    out = console(terminal=True)
    screens = Screens("one", Failed("gone"), "three")
    assert watch(screens, interval=1, count=3, console=out, sleep=lambda _: None) == 1
    text = out.file.getvalue()
    assert text.startswith("\x1b[?25l")  # hides the cursor
    assert "\x1b[?25h" in text
    assert "\x1b[2K" in text  # erases a line
    failed = text[text.index("gone") :]
    assert "one" in failed.split("three")[0]  # the last screen stays below the error


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("moment", ["screen", "sleep"])
def test_control_c_ends_watch(terminal, moment):
    def interrupt(_):
        raise KeyboardInterrupt

    out = console(terminal=terminal)
    screens = Screens("one", KeyboardInterrupt()) if moment == "screen" else Screens("one")
    sleep = interrupt if moment == "sleep" else lambda _: None
    assert watch(screens, interval=1, count=None, console=out, sleep=sleep) == 0
    assert "one" in out.file.getvalue()
    assert not terminal or "\x1b[?25h" in out.file.getvalue()


def test_watch_raises_unexpected_errors():
    with pytest.raises(ZeroDivisionError):
        watch(Screens(ZeroDivisionError()), interval=1, count=1, console=console())
