"""Golden requests that are sent to a server: together where possible, alone where it matters."""

from __future__ import annotations

import grpc
import pytest
import seq2sum
from seq2sum import golden
from seq2sum.golden import GoldenRequest
from seq2sum.testing import FakeServer, FakeSignature
from support.fake_models import FLOATS, STRINGS


def scores(inputs):
    texts = inputs["text"].strings
    if "refused" in texts:
        raise ValueError("no score for this text")
    return {"score": [float(len(text)) for text in texts], "text": texts}


def total(inputs):
    return {"total": [sum(inputs["x"].tolist())]}


SIGNATURES = {
    "serving_default": FakeSignature(scores, {"text": STRINGS}, {"score": FLOATS, "text": STRINGS}),
    "total": FakeSignature(total, {"x": FLOATS}, {"total": FLOATS}),
}


@pytest.fixture
def server():
    with FakeServer(model="any", signatures=SIGNATURES) as server:
        yield server


@pytest.fixture
def client(server):
    with seq2sum.ModelClient(server.target, model="any") as client:
        yield client


def request(*texts, **expect):
    return GoldenRequest({"text": list(texts)}, expect=expect)


def predicts(server):
    return [call for call in server.calls if call.method == "Predict"]


def test_requests_are_sent_together_and_results_keep_their_order(server, client):
    requests = [request("a" * size, score=[size]) for size in range(300)]
    results = golden.check(client, requests)
    assert [result.request for result in results] == requests
    assert all(result.passed for result in results)
    assert results[7].outputs == {"score": [7.0]}
    assert len(predicts(server)) == 3


def test_each_result_has_its_own_rows(client):
    found = golden.check(client, [request("a", "bb", score=[1, 2]), request("ccc", score=[3])])
    assert [result.outputs["score"] for result in found] == [[1.0, 2.0], [3.0]]


def test_a_request_that_fails_costs_the_others_nothing(server, client):
    requests = [request("a", score=[1]), request("refused", score=[1]), request("b", score=[1])]
    first, bad, last = golden.check(client, requests)
    assert first.passed
    assert last.passed
    assert not bad.passed
    assert "no score for this text" in str(bad)
    assert len(predicts(server)) == 4


def test_an_output_that_is_not_as_expected_is_asked_for_again_alone(server, client):
    good, bad = golden.check(client, [request("a", score=[1]), request("b", score=[2])])
    assert good.passed
    assert str(bad) == "score is 1 (expected 2)"
    assert [call.inputs["text"].strings for call in predicts(server)] == [["a", "b"], ["b"]]


def test_outputs_without_the_rows_of_the_inputs_are_compared_alone(server, client):
    requests = [
        GoldenRequest({"x": [1.0, 2.0]}, "total", {"total": [3]}),
        GoldenRequest({"x": [4.0]}, "total", {"total": [4]}),
    ]
    assert all(result.passed for result in golden.check(client, requests))
    assert len(predicts(server)) == 3


def test_requests_with_other_outputs_or_shapes_are_not_merged(server, client):
    requests = [request("a", score=[1]), request("a", text=["a"]), request(score=[])]
    assert all(result.passed for result in golden.check(client, requests))
    assert len(predicts(server)) == 3


@pytest.mark.parametrize(
    ("golden_request", "problem"),
    [
        (GoldenRequest({"text": ["a"]}, "none", {"score": [1]}), "signature 'none'"),
        (GoldenRequest({"words": ["a"]}, expect={"score": [1]}), "words"),
        (GoldenRequest({"text": ["a"]}, expect={"size": [1]}), "size"),
        (GoldenRequest({"text": "a"}, expect={"score": [1]}), "expected DT_STRING"),
        (GoldenRequest({"text": [["a"], []]}, expect={"score": [1]}), "ragged"),
    ],
)
def test_a_request_that_does_not_fit_the_signature_is_an_error_of_its_result(
    client, golden_request, problem
):
    [result] = golden.check(client, [golden_request])
    assert not result.passed
    assert problem in result.error


@pytest.mark.parametrize(
    "code", ["UNAVAILABLE", "PERMISSION_DENIED", "UNAUTHENTICATED", "CANCELLED", "UNIMPLEMENTED"]
)
def test_a_server_that_answers_no_request_raises(server, client, code):
    client.predict(["a"])
    server.fail(grpc.StatusCode[code], times=100)
    with pytest.raises(seq2sum.CallError) as caught:
        golden.check(client, [request("a", score=[1])])
    assert caught.value.code is grpc.StatusCode[code]


def test_exact_floats_are_compared_in_the_dtype_of_the_output(client):
    requests = [GoldenRequest({"x": [each]}, "total", {"total": [each]}) for each in (0.1, 0.7)]
    requests.append(GoldenRequest({"x": [0.1]}, "total", {"total": [0.1001]}))
    results = golden.check(client, requests)
    assert [str(each) for each in results] == ["", "", "total is 0.1 (expected 0.1001)"]
    assert results[0].outputs == {"total": [0.10000000149011612]}
