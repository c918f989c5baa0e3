"""Gate `latency`: alternating calls, timed by a fake clock, and their nearest-rank quantiles."""

from __future__ import annotations

from itertools import islice

import grpc
import pytest
import seq2sum
from msgspec.structs import replace
from seq2sum import SignatureSpec, TensorSpec
from seq2sum._errors import error_of
from seq2sum._servable import Servable
from seq2sum.golden import GoldenRequest
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates import latency, policy
from seq2sum_serving.gates.batches import Batches
from seq2sum_serving.gates.latency import Calls, Samples, judge, measure
from seq2sum_serving.gates.quantile import quantile, ratio

PASSED, FAILED, INCONCLUSIVE = Verdict.SUCCESSFUL, Verdict.FAILED, Verdict.INCONCLUSIVE


def limits(**changes):
    few = {"warm_up": 2, "samples": 4, "rows": (1,), "slack_milliseconds": 0.0}
    return replace(policy.default().latency, **{**few, **changes})


def deadline_exceeded():
    return error_of(
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "too\nlate",
        target="localhost:1",
        servable=Servable("seq2sum", 2, None),
    )


class Server:
    """Advances a clock by some seconds for each call, or fails."""

    def __init__(self):
        self.now = 0.0
        self.calls = []

    def clock(self):
        return self.now

    def side(self, name, *, seconds=0.1, fails=lambda _: False, error=deadline_exceeded):
        def call(batch):
            turn = sum(1 for side, _ in self.calls if side == name)
            self.calls.append((name, batch.inputs["x"]))
            if fails(turn):
                raise error()
            self.now += seconds(turn) if callable(seconds) else seconds

        return call


def requests(*values, signature="serving_default"):
    return [GoldenRequest({"x": value}, signature, {"y": 0}) for value in values]


def test_sides_get_the_same_inputs_and_take_turns():
    server = Server()
    sides = {"candidate": server.side("candidate"), "stable": server.side("stable")}
    measure(sides, requests([1], [2, 3]), limits(rows=(2,)), server.clock)
    names = [name for name, _ in server.calls]
    assert names == ["candidate", "stable", "stable", "candidate"] * 3
    pairs = list(zip(server.calls[::2], server.calls[1::2], strict=True))
    assert all(one[1] == other[1] for one, other in pairs)
    assert [one[1] for one, _ in pairs][:3] == [[1, 2], [3, 1], [2, 3]]


def batches(golden, rows, count=3):
    made = Batches(golden)
    assert made.sizes((rows,)) == ((rows,) if rows else (latency.AS_RECORDED,))
    return [(batch.signature, batch.inputs) for batch in islice(made.of(rows), count)]


def test_batches_are_made_of_the_largest_set_of_requests_that_can_be_merged():
    other = requests([[1, 2]], [[3, 4]], [[5, 6]], signature="other")
    mixed = [*requests([1], 7, [[1], [2, 3]], [], [2]), *other]
    assert batches(mixed, 2, 2) == [
        ("other", {"x": [[1, 2], [3, 4]]}),
        ("other", {"x": [[5, 6], [1, 2]]}),
    ]
    pairs = [GoldenRequest({"a": ["x", "y"], "b": [[1], [2]]}), GoldenRequest({"a": [], "b": 3})]
    assert batches(pairs, 3, 1) == [
        ("serving_default", {"a": ["x", "y", "x"], "b": [[1], [2], [1]]})
    ]


def test_requests_that_cannot_be_merged_are_sent_as_they_are():
    golden = [GoldenRequest({"x": 1}), GoldenRequest({"x": [1], "y": [1, 2]}, "two")]
    assert batches(golden, latency.AS_RECORDED) == [
        ("serving_default", {"x": 1}),
        ("two", {"x": [1], "y": [1, 2]}),
        ("serving_default", {"x": 1}),
    ]
    server, policy = Server(), limits(rows=(1, 64))
    sides = {name: server.side(name) for name in ("candidate", "stable")}
    samples = measure(sides, requests(1, 2), policy, server.clock)
    assert [inputs for _, inputs in server.calls[::2]] == [1, 2] * 3
    result = judge(samples, policy)
    assert result.verdict is PASSED
    assert "each golden request as it is: p50 / p99 100 / 100 ms" in result.message
    assert "the number of rows could not be varied" in result.message


@pytest.mark.parametrize(
    ("shape", "sizes"), [((1, 2), (0,)), ((0,), (0,)), ((-1, 2), (64,)), (None, (64,)), ((), (64,))]
)
def test_inputs_of_a_fixed_size_are_sent_as_they_are(shape, sizes):
    golden = requests([[1.0, 2.0]])
    x = {"x": TensorSpec("DT_FLOAT", shape), "optional": TensorSpec("DT_FLOAT", (1,))}
    signatures = {"serving_default": SignatureSpec(x, {}), "other": SignatureSpec({}, {})}
    for given in ([signatures], [{}, signatures]):
        assert Batches(golden, given).sizes((64,)) == sizes
    assert Batches(golden, [{}]).sizes((64,)) == (64,)


def test_warm_up_calls_are_not_counted():
    server = Server()
    slow_at_first = server.side("candidate", seconds=lambda turn: 9.0 if turn % 6 < 2 else 0.5)
    samples = measure(
        {"candidate": slow_at_first}, requests([1]), limits(rows=(1, 3)), server.clock
    )
    assert {rows: calls.seconds for rows, calls in samples.candidate.items()} == {
        1: [0.5] * 4,
        3: [0.5] * 4,
    }
    assert samples.stable == {}
    assert [len(inputs) for _, inputs in server.calls] == [1] * 6 + [3] * 6


@pytest.mark.parametrize(
    "error", [deadline_exceeded, lambda: seq2sum.UnexpectedResponse("no such\noutput")]
)
def test_failed_call_is_counted_and_repeated(error):
    server = Server()
    sides = {
        "candidate": server.side("candidate", fails=lambda turn: turn in (0, 3), error=error),
        "stable": server.side("stable"),
    }
    samples = measure(sides, requests([1]), limits(), server.clock)
    assert samples.candidate[1].errors == 2
    assert "\n" not in samples.candidate[1].first_error
    assert len(samples.candidate[1].seconds) == len(samples.stable[1].seconds) == 4
    assert judge(samples, limits(max_p99_milliseconds=1000)).verdict is PASSED


def test_failing_side_is_not_called_any_more():
    server = Server()
    sides = {
        "candidate": server.side("candidate", fails=lambda turn: turn > 2),
        "stable": server.side("stable"),
    }
    samples = measure(sides, requests([1]), limits(), server.clock)
    assert samples.candidate[1].errors == latency.MAX_ERRORS
    assert len(samples.candidate[1].seconds) == 1
    assert len(samples.stable[1].seconds) == 4


def test_other_errors_are_raised():
    with pytest.raises(ZeroDivisionError):
        measure({"candidate": lambda _: 1 / 0}, requests([1]), limits())


def test_progress_is_reported_after_every_turn():
    server, progress = Server(), []
    sides = {"candidate": server.side("candidate"), "stable": server.side("stable")}
    measure(
        sides, requests([1]), limits(rows=(1, 2)), server.clock, lambda *done: progress.append(done)
    )
    assert progress == [(done, 24) for done in range(2, 25, 2)]


def milliseconds(*values, errors=0):
    return Calls([value / 1000 for value in values], errors, "late" if errors else "")


SAME = milliseconds(10, 10, 10, 12)
SLOW = milliseconds(300, 300, 300, 300)
FAILING = milliseconds(1, errors=5)
CASES = {
    "same": (SAME, SAME, {}, PASSED, "p50 / p99 10 / 12 ms (stable 10 / 12 ms)"),
    "no stable": (SAME, None, {}, PASSED, "no stable version to compare"),
    "at max_p50_ratio": (
        milliseconds(20, 20, 20, 20),
        SAME,
        {"max_p50_ratio": 2.0},
        PASSED,
        "20 / 20 ms",
    ),
    "slow median": (
        milliseconds(21, 21, 21, 21),
        SAME,
        {"max_p50_ratio": 2.0},
        FAILED,
        "p50 is 21 ms, 2.1 times stable's 10 ms, and latency.max_p50_ratio is 2",
    ),
    "difference within the slack": (
        milliseconds(21, 21, 21, 21),
        SAME,
        {"max_p50_ratio": 2.0, "slack_milliseconds": 12.0},
        PASSED,
        "21 / 21 ms",
    ),
    "slow tail": (
        milliseconds(10, 10, 10, 48),
        SAME,
        {"max_p99_ratio": 3.0},
        FAILED,
        "p99 is 48 ms, 4 times stable's 12 ms, and latency.max_p99_ratio is 3",
    ),
    "at max_p99_milliseconds": (milliseconds(1, 1, 1, 250), None, {}, PASSED, "250"),
    "over max_p99_milliseconds": (
        milliseconds(1, 1, 1, 251),
        None,
        {},
        FAILED,
        "p99 is 251 ms, and latency.max_p99_milliseconds is 250",
    ),
    "as slow as stable": (SLOW, SLOW, {}, FAILED, "300 ms"),
    "few": (milliseconds(1, 1, 1), SAME, {}, INCONCLUSIVE, "candidate answered 3 of 4 calls"),
    "few of stable": (SAME, milliseconds(1), {}, INCONCLUSIVE, "stable answered 1 of 4 calls"),
    "only the candidate fails": (
        FAILING,
        SAME,
        {},
        FAILED,
        "candidate answered 1 of 4 calls (latency.samples): 5 failed, the first with: late",
    ),
    "both fail": (FAILING, FAILING, {}, INCONCLUSIVE, "Check that the servers"),
    "stable fails": (
        SAME,
        milliseconds(errors=5),
        {},
        INCONCLUSIVE,
        "stable answered 0 of 4 calls",
    ),
    "stable takes no time": (SAME, milliseconds(0, 0, 0, 0), {}, PASSED, "stable 0 / 0 ms"),
}


@pytest.mark.parametrize(
    ("candidate", "stable", "changes", "verdict", "text"), CASES.values(), ids=CASES
)
def test_verdicts(candidate, stable, changes, verdict, text):
    samples = Samples({1: candidate}, {} if stable is None else {1: stable})
    result = judge(samples, limits(**changes))
    assert (result.gate, result.verdict) == ("latency", verdict)
    assert text in result.message
    assert "\n" not in result.message


def test_worst_number_of_rows_counts():
    slow = milliseconds(90, 90, 90, 90)
    samples = Samples({1: SAME, 64: slow}, {1: SAME, 64: SAME})
    result = judge(samples, limits(rows=(1, 64)))
    assert result.verdict is FAILED
    assert "With 64 rows per call" in result.message
    assert "1 row per call" not in result.message
    assert result.values["p50_ratio_1_rows"] == 1.0
    assert result.values["p50_ratio_64_rows"] == 9.0
    assert result.values["p99_milliseconds_64_rows"] == 90.0
    assert result.values["stable_p99_milliseconds_64_rows"] == 12.0
    assert result.values["samples_64_rows"] == 4


def test_rows_without_samples_are_inconclusive():
    result = judge(Samples({1: SAME}, {1: SAME}), limits(rows=(1, 64)))
    assert result.verdict is INCONCLUSIVE
    assert "With 64 rows per call: candidate answered 0 of 4 calls" in result.message


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
def test_quantile_is_a_measured_value(values, share, expected):
    assert quantile(list(values), share) == expected


def test_quantile_and_ratio_of_nothing():
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)
    assert ratio(1.0, 0.0) is None
    assert ratio(1.0, 2.0) == 0.5
