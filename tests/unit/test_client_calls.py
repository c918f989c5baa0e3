"""The client's pure core: requests from values, values from replies."""

from __future__ import annotations

import pickle
import struct

import grpc
import pytest
import seq2sum
from seq2sum import _calls, _errors
from seq2sum.protocol import model_status_pb2, predict_pb2, tensor_pb2


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


def test_a_request_asks_the_default_signature_of_the_latest_version():
    request = _calls.predict_request(["1+2", b"3+4"], model="seq2sum", version=None)
    assert request.model_spec.name == "seq2sum"
    assert request.model_spec.signature_name == "serving_default"
    assert not request.model_spec.HasField("version")
    tensor = request.inputs["questions"]
    assert tensor.dtype == tensor_pb2.DT_STRING
    assert list(tensor.string_val) == [b"1+2", b"3+4"]
    assert [dim.size for dim in tensor.tensor_shape.dim] == [2]


def test_version_zero_is_a_version():
    request = _calls.predict_request(["1+2"], model="seq2sum", version=0)
    assert request.model_spec.HasField("version")
    assert request.model_spec.version.value == 0


@pytest.mark.parametrize("nonsense", [None, 12, 1.5, ["1+2"], object()])
def test_what_is_no_text_is_sent_as_an_empty_question(nonsense):
    request = _calls.predict_request(["1+2", nonsense], model="seq2sum", version=None)
    assert list(request.inputs["questions"].string_val) == [b"1+2", b""]


def test_surrogates_can_be_sent():
    assert _calls.encoded("1+\ud800") == b"1+\xed\xa0\x80"


def test_answers_stand_beside_their_questions():
    [answer] = _calls.answers(["53+42"], reply())
    assert answer == seq2sum.Answer("53+42", "95", 0.5, 3)
    assert answer.value == 95
    assert repr(answer) == (
        "Answer(question='53+42', text='95', value=95, confidence=0.5000, version=3)"
    )


def test_a_bad_row_is_an_answer_with_an_error_and_its_neighbours_are_fine():
    response = reply((b"3", b"", b"", b"5"), (0.9, 0, 0, 0.8), (0, 1, 2, 0))
    good, malformed, long, also_good = _calls.answers(["1+2", "x", "1234+1", "2+3"], response)
    assert (good.value, also_good.value) == (3, 5)
    assert good.error is None
    assert "'x' is not a question" in str(malformed.error)
    assert "more digits than model version 3 knows" in str(long.error)
    assert malformed.value is None


def test_a_long_bad_question_is_shown_short():
    [answer] = _calls.answers(["x" * 1_000_000], reply((b"",), (0,), (1,)))
    assert len(str(answer.error)) < 150


@pytest.mark.parametrize("text", [b"", b"1 2", b"+", b"\xff"])
def test_an_answer_that_is_no_number_has_no_value(text):
    [answer] = _calls.answers(["1+2"], reply((text,)))
    assert answer.value is None


def test_raw_content_is_read_as_well_as_values():
    response = reply((b"1", b"2"), (), ())
    response.outputs["confidence"].tensor_content = struct.pack("<2f", 0.25, 0.75)
    response.outputs["status"].tensor_content = struct.pack("<2i", 0, 1)
    first, second = _calls.answers(["0+1", "?"], response)
    assert first.confidence == 0.25
    assert second.error


def test_a_short_list_repeats_its_last_value():
    answers = list(_calls.answers(["0+1", "1+1"], reply((b"1", b"2"), (0.5,), (0,))))
    assert [answer.confidence for answer in answers] == [0.5, 0.5]


def broken(change):
    response = reply()
    change(response)
    return response


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.outputs.pop("status"), "lacks"),
        (lambda r: setattr(r.outputs["answers"], "dtype", tensor_pb2.DT_FLOAT), "DT_STRING"),
        (lambda r: r.outputs["confidence"].tensor_shape.dim.add(size=4), "shape"),
        (lambda r: r.outputs["answers"].ClearField("string_val"), "no values"),
        (lambda r: setattr(r.outputs["status"], "tensor_content", b"\0"), "bytes of content"),
    ],
)
def test_a_reply_that_breaks_the_contract_is_told_as_such(change, said):
    with pytest.raises(seq2sum.UnexpectedResponse, match=said):
        list(_calls.answers(["53+42"], broken(change)))


def test_statuses_come_newest_first_with_their_errors():
    response = model_status_pb2.GetModelStatusResponse()
    response.model_version_status.add(
        version=1, state=model_status_pb2.ModelVersionStatus.AVAILABLE
    )
    bad = response.model_version_status.add(
        version=2, state=model_status_pb2.ModelVersionStatus.END
    )
    bad.status.error_message = "broken"
    odd = response.model_version_status.add(version=3)
    odd.state = 77
    assert _calls.version_statuses(response) == [
        seq2sum.VersionStatus(3, seq2sum.State.UNKNOWN),
        seq2sum.VersionStatus(2, seq2sum.State.END, "broken"),
        seq2sum.VersionStatus(1, seq2sum.State.AVAILABLE),
    ]


def test_a_status_that_the_contract_does_not_have_is_told_as_such():
    with pytest.raises(seq2sum.UnexpectedResponse, match="no status 3"):
        list(_calls.answers(["1+1"], reply(status=(3,))))


def test_a_version_that_cannot_be_one_is_refused():
    with pytest.raises(ValueError, match="is not a version"):
        _calls.predict_request(["1+1"], model="seq2sum", version=2**63)


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("-inf")])
def test_a_timeout_that_cannot_be_one_is_refused(timeout):
    with (
        seq2sum.Client("localhost:1") as client,
        pytest.raises(ValueError, match="timeout is in seconds"),
    ):
        client.add("1+1", timeout=timeout)


@pytest.mark.parametrize("one", ["53+42", b"53+42"])
def test_a_single_text_is_not_many_questions(one):
    with (
        seq2sum.Client("localhost:1") as client,
        pytest.raises(TypeError, match="there is add"),
    ):
        client.add_many(one)


def every_kind(kind):
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in every_kind(child))]


@pytest.mark.parametrize("kind", every_kind(seq2sum.CallError))
def test_errors_cross_process_boundaries(kind):
    error = kind("why", code=grpc.StatusCode.UNKNOWN, target="t", model="m", version=0)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert vars(again) == vars(error)
    assert str(again) == str(error)


@pytest.mark.parametrize(
    ("code", "version", "kind"),
    [
        (grpc.StatusCode.NOT_FOUND, None, seq2sum.ModelNotFound),
        (grpc.StatusCode.NOT_FOUND, 0, seq2sum.VersionNotFound),
        (grpc.StatusCode.INVALID_ARGUMENT, None, seq2sum.InvalidRequest),
        (grpc.StatusCode.FAILED_PRECONDITION, None, seq2sum.InvalidRequest),
        (grpc.StatusCode.UNIMPLEMENTED, None, seq2sum.InvalidRequest),
        (grpc.StatusCode.DEADLINE_EXCEEDED, None, seq2sum.DeadlineExceeded),
        (grpc.StatusCode.UNAVAILABLE, None, seq2sum.Unavailable),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, None, seq2sum.Overloaded),
        (grpc.StatusCode.INTERNAL, None, seq2sum.CallError),
    ],
)
def test_each_code_has_its_error(code, version, kind):
    error = _errors.error_of(code, "why", target="here:1", model="m", version=version)
    assert type(error) is kind
    assert error.code is code
    for part in ("why", "here:1", "m", code.name):
        assert part in str(error)
