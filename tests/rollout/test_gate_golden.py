"""Gates `golden` and `disagreement`: results of golden requests, judged by shares."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from seq2sum.golden import GoldenRequest, GoldenResult, Tolerance, differences
from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.deployment.plain_text import inputs_text
from seq2sum_serving.gates import golden_gate, policy
from seq2sum_serving.gates.golden_gate import GoldenSet

PASSED, FAILED = Verdict.SUCCESSFUL, Verdict.FAILED
REQUESTS = tuple(GoldenRequest({"x": [n]}, expect={"y": [n + 1]}) for n in range(1000))


def result(request, **outputs):
    return GoldenResult(request, outputs, tuple(differences(request, outputs)))


def results(wrong=0, *, first=0, value=7777):
    """Results as expected, but for `wrong` ones from index `first` on."""
    return [
        result(request, y=[value] if first <= n < first + wrong else request.expect["y"])
        for n, request in enumerate(REQUESTS)
    ]


def limits(min_accuracy=0.999, max_drop=0.0, max_share=0.001):
    base = policy.default()
    return replace(
        base,
        golden=policy.GoldenPolicy(min_accuracy=min_accuracy, max_drop=max_drop),
        disagreement=policy.DisagreementPolicy(max_share=max_share),
    )


def judge(candidate, stable, note="", **changes):
    return golden_gate.judge(GoldenSet(REQUESTS, note), candidate, stable, limits(**changes))


ANY = {"min_accuracy": 0, "max_share": 1}
CASES = {
    "all as expected": (0, 0, {}, (PASSED, PASSED)),
    "at min_accuracy": (1, 1, {}, (PASSED, PASSED)),
    "below min_accuracy": (2, 2, {}, (FAILED, PASSED)),
    "worse than stable": (1, 0, {}, (FAILED, PASSED)),
    "at max_drop": (1, 0, {"max_drop": 0.001}, (PASSED, PASSED)),
    "at max_drop of many": (7, 3, ANY | {"max_drop": 0.004}, (PASSED, PASSED)),
    "over max_drop": (7, 2, ANY | {"max_drop": 0.004}, (FAILED, PASSED)),
    "right where stable is wrong": (0, 930, {}, (PASSED, PASSED)),
    "wrong in the same way": (2, 2, {"min_accuracy": 0.99}, (PASSED, PASSED)),
    "all wrong": (1000, 0, {}, (FAILED, FAILED)),
    "both wrong": (1000, 1000, {"min_accuracy": 0}, (PASSED, PASSED)),
}


@pytest.mark.parametrize(("candidate", "stable", "changes", "expected"), CASES.values(), ids=CASES)
def test_verdicts(candidate, stable, changes, expected):
    found = judge(results(candidate), results(stable), **changes)
    assert [each.gate for each in found] == ["golden", "disagreement"]
    assert tuple(each.verdict for each in found) == expected
    assert all("\n" not in each.message for each in found)


def test_one_request_is_enough():
    one = GoldenSet(REQUESTS[:1])
    right, wrong = results()[:1], results(1)[:1]
    assert [each.verdict for each in golden_gate.judge(one, right, right, limits())] == [PASSED] * 2
    assert [each.verdict for each in golden_gate.judge(one, wrong, right, limits())] == [FAILED] * 2


def test_disagreement_counts_different_wrong_results():
    now, before = results(2, value=1), results(2, value=2)
    accuracy, disagreement = judge(now, before, min_accuracy=0, max_drop=0, max_share=0)
    assert accuracy.verdict is PASSED
    assert disagreement.verdict is FAILED
    assert disagreement.values["disagreements"] == 2 - 1  # 0 + 1 is as expected
    _, one_wrong = judge(results(1), results(0), max_share=0)
    assert "(0.1 %)" in one_wrong.message


def test_disagreement_uses_the_comparison_of_the_request():
    request = GoldenRequest({"x": 1}, expect={"y": [1.0]}, compare={"y": Tolerance(atol=0.1)})
    for now, before, disagreements in ((1.15, 1.12, 0), (1.15, 1.0, 1), (1.05, 0.97, 0)):
        [_, found] = golden_gate.judge(
            GoldenSet((request,)),
            [result(request, y=[now])],
            [result(request, y=[before])],
            limits(),
        )
        assert found.values["disagreements"] == disagreements


def test_disagreement_of_other_shapes_and_errors():
    request = GoldenRequest({"x": 1}, expect={"y": [[0.0, 1.0]]}, compare={"y": "argmax"})
    failed = GoldenResult(request, {}, error="refused")
    for now, before, disagreements in (
        (result(request, y=3.0), result(request, y=3.0), 0),
        (result(request, y=[[1.0, 0.0]]), result(request, y=3.0), 1),
        (failed, failed, 0),
        (failed, result(request, y=[[0.0, 1.0]]), 1),
        (result(request, y=[[1.0, 0.0]]), failed, 1),
        (result(request, y=[[0.0, 9.0]]), failed, 0),
    ):
        [_, found] = golden_gate.judge(GoldenSet((request,)), [now], [before], limits())
        assert found.values["disagreements"] == disagreements


def test_failure_message_has_values_limits_examples_and_advice():
    found, other = judge(results(40), results(0), " of version 3")
    assert found.message == (
        "960 of 1,000 golden requests of version 3 answered as expected, stable has 1,000: that is "
        "96 %, and golden.min_accuracy is 99.9 %; that is 4 % less than stable, and "
        'golden.max_drop is 0 %. {"x": [0]}: y is 7777 (expected 1), {"x": [1]}: y is 7777 '
        '(expected 2), {"x": [2]}: y is 7777 (expected 3) and 37 more. Train and publish a better '
        "version under a new number"
    )
    assert found.values["accuracy"] == 0.96
    assert found.values["stable_accuracy"] == 1.0
    assert found.values["requests"] == 1000
    assert '{"x": [0]}: y is 7777 (expected 1)' in other.message
    assert other.values["disagreements"] == 40


def test_long_inputs_and_control_characters_are_cut_and_escaped():
    request = GoldenRequest({"x": [b"\xff\n\x1b[2J" * 5000]}, expect={"y": ["1"]})
    found = result(request, y=[b"\xff\n\x1b[2J" + b"9" * 9000])
    text = golden_gate.text(found)
    assert text.isprintable()
    assert len(text) < 300
    assert golden_gate.judge(GoldenSet((request,)), [found], [found], limits())[0].verdict is FAILED


def write(folder, *lines):
    path = folder / golden_gate.FILE
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", "golden.jsonl:1: not valid JSON"),
        ('{"inputs": {}}', "it expects no output"),
        ('{"inputs": {}, "expect": {"y": 1}, "compare": {"y": "near"}}', "compare of output y is"),
        ("", "the file has no golden requests"),
    ],
)
def test_invalid_golden_requests_are_reported(tmp_path, line, expected):
    write(tmp_path, line)
    with pytest.raises(Failed) as caught:
        golden_gate.read(tmp_path)
    assert expected in str(caught.value)
    path = tmp_path / golden_gate.FILE
    command = f"`seq2sum-rollout golden record --from inputs.jsonl --out {path} --force`"
    assert command in str(caught.value)
    assert "\n" not in str(caught.value)


def test_golden_requests_that_are_missing_or_a_folder(tmp_path):
    assert golden_gate.read(tmp_path) is None
    (tmp_path / golden_gate.FILE).mkdir(parents=True)
    with pytest.raises(Failed, match="Is a directory"):
        golden_gate.read(tmp_path)
    found = golden_gate.missing()
    assert (found.gate, found.verdict) == ("golden", Verdict.INCONCLUSIVE)
    assert "`seq2sum-rollout golden record --from" in found.message


def test_inputs_as_text_are_json():
    request = GoldenRequest({"text": ["größer"], "raw": b"\xff"}, expect={})
    shown = json.loads(inputs_text(request.inputs))
    assert shown["text"] == ["größer"]


class Clock:
    """Each reading is a second later."""

    now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


@pytest.mark.parametrize(
    ("wrong", "min_accuracy", "sent"),
    [(0, 0.999, 1000), (1, 0.999, 1000), (1000, 0.999, 704), (1000, 0, 1000), (700, 0.4, 704)],
)
def test_check_of_a_slow_version_that_fails_anyway_stops(monkeypatch, wrong, min_accuracy, sent):
    by_request = dict(zip(map(str, REQUESTS), results(wrong), strict=True))
    monkeypatch.setattr(
        golden_gate.golden, "check", lambda _, part, **__: [by_request[str(each)] for each in part]
    )
    given = limits(min_accuracy)
    found = golden_gate.check(None, REQUESTS, given.golden, version=2, clock=Clock())
    assert len(found) == sent
    if sent < 1000:
        judged, _ = golden_gate.judge(GoldenSet(REQUESTS), found, results()[:sent], given)
        assert judged.verdict is FAILED
        assert f"({1000 - sent} more were not sent: too many are wrong already)" in judged.message
