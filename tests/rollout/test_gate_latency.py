"""Latencies: asked in turns by an injected clock, judged by nearest-rank quantiles."""

from __future__ import annotations

from dataclasses import replace

import grpc
import pytest
import seq2sum
from seq2sum._errors import error_of
from seq2sum._servable import Servable
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates import latency, policy
from seq2sum_serving.gates.latency import Calls, Samples, judge, measure
from seq2sum_serving.gates.quantile import quantile, ratio

PASSED, FAILED, INCONCLUSIVE = Verdict.SUCCESSFUL, Verdict.FAILED, Verdict.INCONCLUSIVE


def limits(**changes):
    few = {"warm_up": 2, "samples": 4, "rows": (1,), "slack_milliseconds": 0.0}
    return replace(policy.default().latency, **{**few, **changes})


def late():
    return error_of(
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "too\nlate",
        target="localhost:1",
        servable=Servable("seq2sum", 2, None),
    )


class Server:
    """Answers in so many seconds of a clock of its own, or fails."""

    def __init__(self):
        self.now = 0.0
        self.asked = []

    def clock(self):
        return self.now

    def side(self, name, *, seconds=0.1, fails=lambda _: False, error=late):
        def ask(questions):
            turn = sum(1 for who, _ in self.asked if who == name)
            self.asked.append((name, questions))
            if fails(turn):
                raise error()
            self.now += seconds(turn) if callable(seconds) else seconds

        return ask


def test_both_sides_are_asked_the_same_in_turns_and_neither_always_first():
    server = Server()
    ask = {"candidate": server.side("candidate"), "stable": server.side("stable")}
    measure(ask, [b"1+1", b"2+2", b"3+3"], limits(rows=(2,)), server.clock)
    names = [name for name, _ in server.asked]
    assert names == ["candidate", "stable", "stable", "candidate"] * 3
    pairs = list(zip(server.asked[::2], server.asked[1::2], strict=True))
    assert all(one[1] == other[1] for one, other in pairs)
    assert [one[1] for one, _ in pairs][:3] == [
        [b"1+1", b"2+2"],
        [b"3+3", b"1+1"],
        [b"2+2", b"3+3"],
    ]


def test_warm_up_calls_are_dropped_for_each_number_of_rows():
    server = Server()
    slow_at_first = server.side("candidate", seconds=lambda turn: 9.0 if turn % 6 < 2 else 0.5)
    samples = measure({"candidate": slow_at_first}, [b"1+1"], limits(rows=(1, 3)), server.clock)
    assert {rows: calls.seconds for rows, calls in samples.candidate.items()} == {
        1: [0.5] * 4,
        3: [0.5] * 4,
    }
    assert samples.stable == {}
    assert [len(questions) for _, questions in server.asked] == [1] * 6 + [3] * 6


@pytest.mark.parametrize("error", [late, lambda: seq2sum.UnexpectedResponse("no such\noutput")])
def test_a_call_that_fails_is_counted_and_made_again(error):
    server = Server()
    ask = {
        "candidate": server.side("candidate", fails=lambda turn: turn in (0, 3), error=error),
        "stable": server.side("stable"),
    }
    samples = measure(ask, [b"1+1"], limits(), server.clock)
    assert samples.candidate[1].errors == 2
    assert "\n" not in samples.candidate[1].first_error
    assert len(samples.candidate[1].seconds) == len(samples.stable[1].seconds) == 4
    assert judge(samples, limits(p99_milliseconds=1000)).verdict is PASSED


def test_a_side_that_keeps_failing_is_given_up():
    server = Server()
    ask = {
        "candidate": server.side("candidate", fails=lambda turn: turn > 2),
        "stable": server.side("stable"),
    }
    samples = measure(ask, [b"1+1"], limits(), server.clock)
    assert samples.candidate[1].errors == latency.MOST_ERRORS
    assert len(samples.candidate[1].seconds) == 1
    assert len(samples.stable[1].seconds) == 4


def test_errors_that_are_no_servers_fault_are_raised():
    with pytest.raises(ZeroDivisionError):
        measure({"candidate": lambda _: 1 / 0}, [b"1+1"], limits())


def test_progress_is_told_after_every_turn():
    server, told = Server(), []
    ask = {"candidate": server.side("candidate"), "stable": server.side("stable")}
    measure(ask, [b"1+1"], limits(rows=(1, 2)), server.clock, lambda *of: told.append(of))
    assert told == [(done, 24) for done in range(2, 25, 2)]


def milliseconds(*values, errors=0):
    return Calls([value / 1000 for value in values], errors, "late" if errors else "")


SAME = milliseconds(10, 10, 10, 12)


@pytest.mark.parametrize(
    ("candidate", "stable", "changes", "verdict", "said"),
    [
        pytest.param(SAME, SAME, {}, PASSED, "p50 / p99 10 / 12 ms (stable 10 / 12 ms)", id="same"),
        pytest.param(SAME, None, {}, PASSED, "no stable version to compare", id="no stable"),
        pytest.param(
            milliseconds(20, 20, 20, 20), SAME, {"p50_ratio": 2.0}, PASSED, "20 / 20 ms", id="at it"
        ),
        pytest.param(
            milliseconds(21, 21, 21, 21),
            SAME,
            {"p50_ratio": 2.0},
            FAILED,
            "p50 is 21 ms, 2.1 times stable's 10 ms, and latency.p50_ratio is 2",
            id="a slow median",
        ),
        pytest.param(
            milliseconds(21, 21, 21, 21),
            SAME,
            {"p50_ratio": 2.0, "slack_milliseconds": 12.0},
            PASSED,
            "21 / 21 ms",
            id="a difference within the slack",
        ),
        pytest.param(
            milliseconds(10, 10, 10, 48),
            SAME,
            {"p99_ratio": 3.0},
            FAILED,
            "p99 is 48 ms, 4 times stable's 12 ms, and latency.p99_ratio is 3",
            id="a slow tail",
        ),
        pytest.param(milliseconds(1, 1, 1, 250), None, {}, PASSED, "250", id="at the most"),
        pytest.param(
            milliseconds(1, 1, 1, 251),
            None,
            {},
            FAILED,
            "p99 is 251 ms, and latency.p99_milliseconds is 250",
            id="absolutely too slow",
        ),
        pytest.param(
            milliseconds(300, 300, 300, 300),
            milliseconds(300, 300, 300, 300),
            {},
            FAILED,
            "300 ms",
            id="as slow as stable and still too slow",
        ),
        pytest.param(
            milliseconds(1, 1, 1),
            SAME,
            {},
            INCONCLUSIVE,
            "candidate answered 3 of 4 calls",
            id="few",
        ),
        pytest.param(
            SAME,
            milliseconds(1),
            {},
            INCONCLUSIVE,
            "stable answered 1 of 4 calls",
            id="few of stable",
        ),
        pytest.param(
            milliseconds(1, errors=5),
            SAME,
            {},
            FAILED,
            "candidate answered 1 of 4 calls (latency.samples): 5 failed, the first with: late",
            id="only the candidate fails",
        ),
        pytest.param(
            milliseconds(1, errors=5),
            milliseconds(1, errors=5),
            {},
            INCONCLUSIVE,
            "See that the servers",
            id="both fail",
        ),
        pytest.param(
            SAME,
            milliseconds(errors=5),
            {},
            INCONCLUSIVE,
            "stable answered 0 of 4 calls",
            id="stable fails",
        ),
        pytest.param(
            SAME, milliseconds(0, 0, 0, 0), {}, PASSED, "stable 0 / 0 ms", id="no time at all"
        ),
    ],
)
def test_samples_are_judged(candidate, stable, changes, verdict, said):
    samples = Samples({1: candidate}, {} if stable is None else {1: stable})
    result = judge(samples, limits(**changes))
    assert (result.gate, result.verdict) == ("latency", verdict)
    assert said in result.message
    assert "\n" not in result.message


def test_the_worst_number_of_rows_counts_and_figures_name_it():
    slow = milliseconds(90, 90, 90, 90)
    samples = Samples({1: SAME, 64: slow}, {1: SAME, 64: SAME})
    result = judge(samples, limits(rows=(1, 64)))
    assert result.verdict is FAILED
    assert "With 64 rows a call" in result.message
    assert "1 row a call" not in result.message
    assert result.values["p50_ratio_1_rows"] == 1.0
    assert result.values["p50_ratio_64_rows"] == 9.0
    assert result.values["p99_milliseconds_64_rows"] == 90.0
    assert result.values["stable_p99_milliseconds_64_rows"] == 12.0
    assert result.values["samples_64_rows"] == 4


def test_rows_that_were_not_measured_leave_the_gate_open():
    result = judge(Samples({1: SAME}, {1: SAME}), limits(rows=(1, 64)))
    assert result.verdict is INCONCLUSIVE
    assert (
        "With 64 rows a call: candidate answered 0 of 4 calls (latency.samples)" in result.message
    )


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7], 0.99, 7),
        ([3, 1, 2], 0.5, 2),
        ([4, 3, 2, 1], 0.5, 2),
        (range(1, 101), 0.99, 99),
        (range(1, 201), 0.99, 198),
        (range(1, 51), 0.99, 50),
        (range(1, 101), 0.07, 7),
        ([1, 2], 0.0, 1),
        ([1, 2], 1.0, 2),
    ],
)
def test_quantiles_are_values_that_were_measured(values, share, expected):
    assert quantile(list(values), share) == expected


def test_there_is_no_quantile_of_nothing_and_no_ratio_to_it():
    with pytest.raises(ValueError, match="nothing"):
        quantile([], 0.5)
    assert ratio(1.0, 0.0) is None
    assert ratio(1.0, 2.0) == 0.5
