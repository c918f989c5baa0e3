"""Calls as values: requests from values, values from replies."""

from __future__ import annotations

import struct

import pytest
import seq2sum
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from seq2sum._methods import PREDICT
from seq2sum._servable import Servable
from seq2sum.addition import calls, contract
from seq2sum.addition.chunks import Chunk, chunks
from seq2sum.protocol import predict_pb2, tensor_pb2

LATEST = Servable("seq2sum")


def call(questions, servable=LATEST):
    chunk = next(chunks(questions), Chunk([], []))
    return calls.predict(chunk, servable)


def reply(answers=(b"95",), confidence=(0.5,), status=(0,), version=3):
    response = predict_pb2.PredictResponse()
    response.model_spec.version.value = version
    columns = {
        "answers": tensor_pb2.TensorProto(dtype=tensor_pb2.DT_STRING, string_val=answers),
        "confidence": tensor_pb2.TensorProto(dtype=tensor_pb2.DT_FLOAT, float_val=confidence),
        "status": tensor_pb2.TensorProto(dtype=tensor_pb2.DT_INT32, int_val=status),
    }
    for name, tensor in columns.items():
        tensor.tensor_shape.dim.add(size=len(answers))
        response.outputs[name].CopyFrom(tensor)
    return response


def answers(questions, response):
    return call(questions).result(response, target="here:1").answers()


def test_predict_requests_the_default_signature_of_the_latest_version():
    request = call(["1+2", b"3+4"]).request
    assert request.model_spec.name == "seq2sum"
    assert request.model_spec.signature_name == "serving_default"
    assert request.model_spec.WhichOneof("version_choice") is None
    tensor = request.inputs["questions"]
    assert tensor.dtype == tensor_pb2.DT_STRING
    assert list(tensor.string_val) == [b"1+2", b"3+4"]
    assert [dim.size for dim in tensor.tensor_shape.dim] == [2]


def test_request_has_version_zero_or_a_label():
    assert call(["1+2"], Servable("m", 0)).request.model_spec.HasField("version")
    assert call(["1+2"], Servable("m", label="canary")).request.model_spec.version_label == "canary"


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        ({"version": 1, "label": "canary"}, ValueError),
        ({"version": 2**63}, ValueError),
        ({"version": "1"}, TypeError),
        ({"version": True}, TypeError),
        ({"version": 1.0}, TypeError),
        ({"label": 1}, TypeError),
    ],
)
def test_invalid_servable_is_refused(choice, kind):
    with pytest.raises(kind):
        Servable("seq2sum", **choice)


def test_answers_have_their_questions():
    [answer] = answers(["53+42"], reply())
    assert answer == seq2sum.Answer("53+42", "95", 0.5, 3)
    assert answer.value == 95
    assert repr(answer) == (
        "Answer(question='53+42', text='95', value=95, confidence=0.5000, version=3)"
    )


def test_invalid_row_is_an_answer_with_an_error():
    response = reply((b"3", b"", b"", b"5"), (0.9, 0, 0, 0.8), (0, 1, 2, 0))
    good, malformed, long, also_good = answers(["1+2", "x", "1234+1", "2+3"], response)
    assert (good.value, also_good.value) == (3, 5)
    assert good.error is None
    assert "'x' is not a question" in str(malformed.error)
    assert "more digits than model version 3 accepts" in str(long.error)
    assert malformed.value is None


def test_long_invalid_question_is_shortened_in_the_message():
    [answer] = answers(["x" * 1_000_000], reply((b"",), (0,), (1,)))
    assert len(str(answer.error)) < 150


@pytest.mark.parametrize("text", [b"", b"1 2", b"+", b"\xff"])
def test_value_of_text_that_is_not_a_number_is_none(text):
    [answer] = answers(["1+2"], reply((text,)))
    assert answer.value is None
    assert answer.error is None
    assert call(["1+2"]).result(reply((text,)), target="t").values == [None]


def test_columns_equal_rows_and_can_be_concatenated():
    parts = [
        call(["1+2", "x"]).result(reply((b"3", b""), (0.5, 0.0), (0, 1), version=1), target="t"),
        call([b"2+2"]).result(reply((b"4",), (0.25,), (0,), version=2), target="t"),
    ]
    joined = seq2sum.Columns.concat(parts)
    assert joined.questions == ["1+2", "x", b"2+2"]
    assert joined.values == [3, None, 4]
    assert list(joined.statuses) == [0, 1, 0]
    assert list(joined.versions) == [1, 1, 2]
    assert list(joined.confidences) == [0.5, 0.0, 0.25]
    assert len(joined) == 3
    rows = [answer for part in parts for answer in part.answers()]
    assert list(map(repr, joined.answers())) == list(map(repr, rows))


def test_tensor_content_is_read():
    response = reply((b"3", b"5"), (), ())
    response.outputs["confidence"].tensor_content = struct.pack("<2f", 0.25, 0.75)
    response.outputs["status"].tensor_content = struct.pack("<2i", 0, 1)
    first, second = answers(["1+2", "x"], response)
    assert first.confidence == 0.25
    assert second.error


def test_short_list_repeats_its_last_value_and_long_list_is_cut():
    found = answers(["0+1", "1+1"], reply((b"1", b"2"), (0.5,), (0, 0, 7)))
    assert [answer.confidence for answer in found] == [0.5, 0.5]


def broken(change):
    response = reply()
    change(response)
    return response


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.outputs.pop("status"), "lacks"),
        (lambda r: setattr(r.outputs["answers"], "dtype", tensor_pb2.DT_FLOAT), "DT_STRING"),
        (lambda r: setattr(r.outputs["answers"], "dtype", 999), "DataType 999"),
        (lambda r: r.outputs["confidence"].tensor_shape.dim.add(size=4), "shape"),
        (lambda r: r.outputs["confidence"].tensor_shape.ClearField("dim"), "shape"),
        (lambda r: r.outputs["answers"].ClearField("string_val"), "no values"),
        (lambda r: setattr(r.outputs["status"], "tensor_content", b"\0"), "bytes of content"),
        (lambda r: r.outputs["status"].int_val.__setitem__(0, 3), "no status 3"),
        (lambda r: r.outputs["status"].int_val.__setitem__(0, -1), "no status -1"),
    ],
)
def test_reply_that_breaks_the_contract_is_unexpected(change, message):
    with pytest.raises(seq2sum.UnexpectedResponse, match=message) as caught:
        answers(["53+42"], broken(change))
    assert "[from here:1, model seq2sum, latest version]" in str(caught.value)


def test_bytes_that_are_not_a_message_are_unexpected():
    method = PREDICT
    assert isinstance(method.parse(b"\xff\xff"), DecodeError)
    with pytest.raises(seq2sum.UnexpectedResponse, match="not a message"):
        answers(["1+1"], method.parse(b"\xff\xff"))


@settings(deadline=None, derandomize=True)
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.text(max_size=9), st.binary(max_size=9)),
            st.integers(0, 10**6),
            st.floats(0, 1, width=32),
            st.sampled_from([0, 0, 1, 2]),
        ),
        max_size=20,
    ),
    raw=st.booleans(),
)
def test_requests_and_replies_round_trip(rows, raw):
    questions, sums, confidences, status = ([row[i] for row in rows] for i in range(4))
    sent = call(questions)
    received = predict_pb2.PredictRequest.FromString(sent.request.SerializeToString())
    assert [
        text if isinstance(question, bytes) else text.decode(errors="surrogatepass")
        for question, text in zip(questions, received.inputs["questions"].string_val, strict=True)
    ] == questions
    texts = [b"" if bad else b"%d" % value for bad, value in zip(status, sums, strict=True)]
    response = reply(texts, () if raw else confidences, status, version=7)
    if raw:
        content = struct.pack(f"<{len(confidences)}f", *confidences)
        response.outputs["confidence"].tensor_content = content
    if raw and not rows:
        return  # empty content means no values
    found = sent.result(sent.method.parse(response.SerializeToString()), target="t").answers()
    assert [answer.question for answer in found] == questions
    for answer, value, certainty, bad in zip(found, sums, confidences, status, strict=True):
        assert (answer.error is not None) == bool(bad)
        assert answer.value == (None if bad else value)
        assert answer.confidence == (0.0 if bad else certainty)
        assert answer.version == 7


def detailed(probabilities, status=0, length=2):
    response = predict_pb2.PredictResponse()
    response.model_spec.version.value = 4
    detail = response.outputs["probabilities"]
    detail.dtype = tensor_pb2.DT_FLOAT
    for size in (1, length, 12):
        detail.tensor_shape.dim.add(size=size)
    detail.float_val.extend(probabilities)
    for name, sizes, values in (
        ("token_ids", (1, length), [0] * length),
        ("status", (1,), [status]),
    ):
        tensor = response.outputs[name]
        tensor.dtype = tensor_pb2.DT_INT32
        for size in sizes:
            tensor.tensor_shape.dim.add(size=size)
        tensor.int_val.extend(values)
    return response


def test_explanation_reads_each_position_by_the_alphabet():
    seven = [0.1 if c == "1" else 0.9 if c == "7" else 0.0 for c in contract.ALPHABET]
    blank = [0.75 if c == " " else 0.25 if c == "0" else 0.0 for c in contract.ALPHABET]
    call = calls.explain("3+4", LATEST)
    assert call.request.model_spec.signature_name == "probabilities"
    found = call.result(detailed([*seven, *blank]), target="t")
    assert found.text == "7"
    assert found.version == 4
    assert found.confidence == pytest.approx(0.9 * 0.75)
    first, second = found.positions
    assert (first.character, second.character) == ("7", " ")
    assert first.alternatives[:2] == (("7", pytest.approx(0.9)), ("1", pytest.approx(0.1)))
    assert [character for character, _ in second.alternatives[:2]] == [" ", "0"]
    assert len(second.alternatives) == 12


def test_invalid_question_has_no_explanation():
    with pytest.raises(seq2sum.InvalidQuestion, match="is not a question"):
        calls.explain("x", LATEST).result(detailed([0.0] * 24, status=1), target="t")
