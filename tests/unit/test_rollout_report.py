"""What the story of rollouts makes of its calls and of the history."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from rollouts.allowed import allowed, strays, swaps
from rollouts.ledger import Call
from rollouts.picture import picture
from rollouts.report import Report, p50, p99, table
from rollouts.shuffled import shuffled
from rollouts.spans import Span, after, within
from rollouts.story import Chapter, Story, Tempo
from rollouts.world import Ended
from seq2sum_serving.rollout.errors import Exit
from seq2sum_serving.rollout.history import Event

BEGAN = 1_800_000_000.0
"""What seconds are counted from here."""


def event(second, what, version=None, *, why="", run="", **figures):
    when = datetime.fromtimestamp(BEGAN + second, UTC).isoformat(timespec="milliseconds")
    return Event(
        what, version, why, figures, run, "seq2sum", when.replace("+00:00", "Z"), "me@here"
    )


def call(begin, version=1, *, seconds=0.01, error=""):
    version = None if error else version
    return Call(BEGAN + begin, BEGAN + begin + seconds, version, not error, error)


def span(begin, end):
    return Span(BEGAN + begin, BEGAN + end)


HISTORY = [
    event(-1.0, "labels", stable=1, canary=1),
    event(10.0, "aspired", versions=[1, 2]),
    event(12.0, "labels", stable=1, canary=2),
    event(12.5, "traffic", stable=90, canary=10),
    event(15.0, "labels", stable=2, canary=2, previous=1),
    event(15.5, "traffic", stable=100),
    event(20.0, "run ended", 2),
]
"""Version 2 takes over from version 1."""


def test_a_version_may_answer_from_its_label_until_every_replica_has_lost_it():
    assert allowed(HISTORY) == {
        1: [span(-1, 12.5), span(12, 15.5)],
        2: [span(12, 15.5), Span(BEGAN + 15, math.inf)],
    }


def test_the_last_labels_hold_on_while_nothing_follows_them():
    assert allowed(HISTORY[:3])[1][-1].end == math.inf
    assert allowed(HISTORY[:1]) == {1: [Span(BEGAN - 1, math.inf)]}
    assert allowed([]) == {}


@pytest.mark.parametrize(
    ("one", "stray"),
    [
        (call(5, 1), False),
        (call(5, 2), True),
        (call(11.995, 2), False),  # it was under way when the label came
        (call(11.95, 2), True),
        (call(15.5, 1), False),
        (call(15.6, 1), True),  # it is `previous` now, which nobody asks for
        (call(99, 2), False),
        (call(5, 4), True),
        (call(99, error="no"), False),  # that is another fault
    ],
)
def test_an_answer_of_a_version_that_was_not_allowed_is_a_stray(one, stray):
    assert bool(strays([one], allowed(HISTORY))) is stray


def test_a_swap_is_a_move_of_stable():
    assert swaps(HISTORY) == [HISTORY[4]]


def test_windows_that_touch_are_one():
    assert after([12, 10, 15], 2) == [Span(10, 14), Span(15, 17)]
    assert after([], 2) == []


def test_a_call_is_in_a_window_when_any_moment_of_it_is():
    calls = [call(begin, seconds=1) for begin in (8.9, 9.1, 11, 12.1)]
    assert within(calls, [span(10, 12)]) == calls[1:3]


def test_percentiles_are_milliseconds_that_were_measured():
    calls = [call(0, seconds=number / 1000) for number in range(1, 201)]
    assert (p50(calls), p99(calls)) == pytest.approx((100, 198))


CALLS = [
    *(call(second / 10, 1, seconds=0.010) for second in range(100)),
    *(call(10.1 + second / 10, 1, seconds=0.015) for second in range(50)),
    *(call(15.1 + second / 10, 2, seconds=0.012) for second in range(50)),
]
CHAPTERS = [
    Chapter("run 2", Exit.DONE, Ended(0, {}, 20.0)),
    Chapter("run 4", Exit.FAILED, Ended(1, {"error": "golden: none"}, 9.0), "golden: "),
    Chapter("rollback", Exit.DONE, Ended(0, {"seconds": 0.25}, 1.0)),
]
TEMPO = Tempo(200, swaps=1)
BACK = event(21.0, "failed", 4, why="golden: none right", run="f00")


def report(calls=CALLS, events=(*HISTORY, BACK), chapters=CHAPTERS, tempo=TEMPO):
    names = {1: "seed", 2: "default", 4: "shuffled"}
    return Report.of(Story(tempo, names, BEGAN, calls, events, chapters))


def test_a_story_without_a_fault_passes():
    found = report()
    assert all(good for good, _ in found.verdicts())
    assert len(found.before) == 50, "from second 5 to second 10"
    assert found.times == pytest.approx(1.5)
    assert found.rollback_seconds == 0.25
    assert all(good for good, _ in found.figures())


@pytest.mark.parametrize(
    "found",
    [
        report([*CALLS, call(3, error="gone")]),
        report(CALLS[1:]),
        report([*CALLS, call(3, 2)]),
        report(chapters=[*CHAPTERS, Chapter("run 5", Exit.DONE, Ended(1, {}, 1.0))]),
        report(chapters=[*CHAPTERS, Chapter("run 5", Exit.FAILED, Ended(1, {}, 1.0), "golden: ")]),
        report(events=HISTORY),
        report(tempo=Tempo(200, swaps=2)),
    ],
    ids=["a call", "too few", "a stray", "a code", "a message", "not taken back", "swaps"],
)
def test_any_one_fault_fails_it(found):
    assert [good for good, _ in found.verdicts()].count(False) == 1


@pytest.mark.parametrize(
    "found",
    [
        report([*CALLS, *(call(12, seconds=0.1) for _ in range(50))]),
        report(chapters=[Chapter("rollback", Exit.DONE, Ended(0, {"seconds": 1.5}, 2.0))]),
        report([]),
    ],
    ids=["slow swaps", "slow rollback", "no calls"],
)
def test_what_callers_would_notice_fails_it_too(found):
    assert [good for good, _ in found.figures()].count(False) == 1


def test_the_report_shows_every_version():
    found = report([*CALLS, call(30, error="gone")])
    assert "| 2 | default | 50 | 100.0% | became stable |" in table(found)
    assert "| 4 | shuffled | 0 |  | taken back: golden |" in table(found)
    row = found.row()
    assert not row["passed"]
    assert row["seconds"][0] == [0, {"1": 10}, 10.0, 10.0]
    assert row["seconds"][25] == [25, {}, None, None], "nobody was answered"
    assert "Calls a second" in picture(found)


def test_shuffled_weights_are_the_same_values_in_another_order(tmp_path):
    import zipfile
    from io import BytesIO

    import h5py
    import numpy as np

    run, weights = tmp_path / "run", BytesIO()
    run.mkdir()
    with h5py.File(weights, "w") as file:
        file["layers/one/vars/0"] = np.arange(20.0).reshape(4, 5)
    with zipfile.ZipFile(run / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", weights.getvalue())
    copy = shuffled(run, tmp_path / "copy")
    with zipfile.ZipFile(copy / "model.keras") as archive:
        assert archive.read("config.json") == b"{}"
        found = h5py.File(BytesIO(archive.read("model.weights.h5")))["layers/one/vars/0"][...]
    assert found.shape == (4, 5)
    assert sorted(found.ravel()) == list(range(20))
    assert found.ravel().tolist() != list(range(20))
