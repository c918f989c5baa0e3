"""What an answer must be like, by invariants and by comparison."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fuzz import comparison, http_rules, intended, invariants, rest_echoes, shrinking
from fuzz.inputs import Call, Conversation, Message, Rest
from fuzz.replies import GrpcReply, HttpReply, NoReply, Replies, split
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2

HOST = ((b"Host: ", b"x"),)
GOOD = Message(b"POST", b"/v1/models/odd:predict", b'{"instances":[7.5]}')
JSON = (("content-type", "application/json"),)


def call(signature="echo_float32", **tensor):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "odd", signature
    request.inputs["x"].CopyFrom(tensor_pb2.TensorProto(**tensor))
    return Call("Predict", request.SerializeToString())


def answer(**tensor):
    reply = predict_pb2.PredictResponse()
    reply.outputs["y"].CopyFrom(tensor_pb2.TensorProto(**tensor))
    return GrpcReply("OK", "", reply.SerializeToString())


def http(status, body, headers=JSON):
    return HttpReply(status, headers, body)


def rest(value, key="inputs", signature="echo_float32"):
    body = b'{"signature_name":"%s","%s":%s}' % (signature.encode(), key.encode(), value)
    return Rest("POST", "/v1/models/odd:predict", body)


def kinds(question, reply):
    return [fault.kind for fault in invariants.judge(question, reply)]


FLOAT = types_pb2.DT_FLOAT
TWO = {"dim": [{"size": 2}]}


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        ({"float_val": [1.5]}, {"float_val": [1.5]}),
        ({"float_val": [1.5], "tensor_shape": TWO}, {"float_val": [1.5, 1.5], "tensor_shape": TWO}),
        ({"tensor_content": b"\0\0\x80\x7f"}, {"float_val": [float("inf")]}),
        ({"int_val": [3]}, {}),
    ],
)
def test_the_same_value_in_another_form_is_no_fault(sent, got):
    assert not kinds(call(dtype=FLOAT, **sent), answer(dtype=FLOAT, **got))


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        ({"float_val": [1.5]}, {"float_val": [1.25]}),
        ({"float_val": [1.5]}, {"float_val": [1.5], "tensor_shape": {"dim": [{"size": 1}]}}),
        ({"float_val": [0.0]}, {"float_val": [-0.0]}),
        # A NaN whose bits are not those that were sent.
        ({"tensor_content": b"\x01\0\x80\x7f"}, {"tensor_content": b"\x01\0\xc0\x7f"}),
        ({"tensor_content": b"\0\0\0"}, {"float_val": [0.0]}),
    ],
)
def test_a_changed_value_is_a_fault(sent, got):
    assert kinds(call(dtype=FLOAT, **sent), answer(dtype=FLOAT, **got)) == ["changed value"]


@pytest.mark.parametrize(
    ("question", "reply", "found"),
    [
        (
            call(dtype=FLOAT),
            GrpcReply("INVALID_ARGUMENT", "no"),
            ["INVALID_ARGUMENT instead of OK"],
        ),
        (call(dtype=FLOAT, tensor_content=b"x"), GrpcReply("INVALID_ARGUMENT", "no"), []),
        (call("nope", dtype=FLOAT), GrpcReply("FAILED_PRECONDITION", "no"), []),
        (call("nope"), GrpcReply("INTERNAL", ""), ["code INTERNAL"]),
        (call("nope"), GrpcReply("UNKNOWN", ""), ["code UNKNOWN"]),
        (call("nope"), GrpcReply("UNAVAILABLE", ""), ["code UNAVAILABLE"]),
        (call("nope"), GrpcReply("INVALID_ARGUMENT", "KeyError: 'x'"), ["Python in an error"]),
        (call("KeyError"), GrpcReply("INVALID_ARGUMENT", 'no signature "KeyError"'), []),
        (call("nope"), GrpcReply("INVALID_ARGUMENT", "x" * 2000), ["long error"]),
        (call("nope"), NoReply("late"), ["no reply"]),
        (Call("Predict", b"\xff\xff"), GrpcReply("INTERNAL", ""), []),
        (Call("Predict", b"\xff\xff"), GrpcReply("INTERNAL", "oh"), ["code INTERNAL"]),
    ],
)
def test_calls_that_were_not_answered(question, reply, found):
    assert kinds(question, reply) == found


@pytest.mark.parametrize(
    ("question", "reply", "found"),
    [
        (rest(b"[1]"), http(200, b'{"outputs": [1.0]}'), []),
        (rest(b"[1]"), http(200, b'{"outputs": [1.5]}'), ["changed value"]),
        (rest(b"[1]"), http(200, b'{"outputs": [1.0, 1.0]}'), ["changed value"]),
        (rest(b"[1]"), http(200, b'{"outputs": [1.0'), ["not JSON", "changed value"]),
        (rest(b"[1]"), http(400, b'{"error": "no"}'), ["400 instead of 200"]),
        (rest(b"[x]"), http(400, b'{"error": "no"}'), []),
        (rest(b"[x]"), http(500, b'{"error": "no"}'), ["status 500"]),
        (rest(b"[x]"), http(503, b""), ["status 503"]),
        (rest(b"[x]"), http(400, b'{"error": "%s"}' % (b"1," * 5000)), ["long error"]),
        (rest(b'["%s",x]' % (b"a" * 9000)), http(400, b'{"error": "%s"}' % (b"a" * 9000)), []),
    ],
)
def test_rest_answers(question, reply, found):
    assert kinds(question, reply) == found


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        (b"1700000001", "1.7e+09"),
        (b"16777217", "16777216.0"),
        (b"1e39", "Infinity"),
        (b"-1e39", "-Infinity"),
        (b"NaN", "NaN"),
        (b"1e-46", "0.0"),
    ],
)
def test_floats_are_rounded_as_the_real_server_does(text, reply):
    assert not kinds(rest(b"[" + text + b"]"), http(200, b'{"outputs":[%s]}' % reply.encode()))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("YQ==", b"a"),
        ("YQ", b"a"),
        ("YQ..", b"a"),
        ("/+8=", b"\xff\xef"),
        ("_-8=", rest_echoes.REFUSED),
        ("YR==", b"a"),
        ("", b""),
        ("YQ=", rest_echoes.REFUSED),
        ("YQ===", rest_echoes.REFUSED),
        ("=", rest_echoes.REFUSED),
        ("Y", rest_echoes.REFUSED),
        ("Y!", rest_echoes.REFUSED),
        ("Y Q", None),
    ],
)
def test_base64_has_no_padding_or_the_right_amount(text, value):
    question = rest(b'[{"b64":"%s"}]' % text.encode(), signature="echo_string")
    wanted = ("outputs", [value], "string") if isinstance(value, bytes) else value
    assert rest_echoes.expected(question) == wanted


@pytest.mark.parametrize(
    ("messages", "options", "statuses", "exact"),
    [
        ([GOOD, GOOD], {}, (200, 200), True),
        ([GOOD, GOOD], {"cut": 100}, (200,), True),
        ([GOOD], {"noise": b"x"}, (200,), False),
        ([Message(b"GET", b"/v1/models/nothere", framing="none", headers=())], {}, (404,), True),
        ([Message(b"POST", GOOD.path, GOOD.body, version=b"HTTP/1.0"), GOOD], {}, (200,), True),
        ([Message(b"POST", GOOD.path, GOOD.body, "gzip and more")], {}, (400,), True),
        ([Message(b"POST", GOOD.path, GOOD.body, "length and chunked"), GOOD], {}, (400,), True),
    ],
)
def test_replies_that_are_due(messages, options, statuses, exact):
    due = http_rules.due(Conversation(tuple(messages), **options))
    assert (due.statuses, due.exact) == (statuses, exact)


def test_replies_of_a_conversation_are_judged():
    two = Conversation((GOOD, GOOD))
    good = http(200, b'{"predictions":[7.5]}')
    assert not kinds(two, Replies((good, good), b"", "open"))
    assert kinds(two, Replies((good,), b"", "closed")) == ["no reply instead of 200"]
    assert kinds(two, Replies((good, good, good), b"", "open")) == ["200 instead of no reply"]
    other = http(200, b'{"predictions":[8.5]}')
    assert kinds(two, Replies((good, other), b"", "open")) == ["another request's reply"]
    assert kinds(two, Replies((good, good), b"HTTP", "open")) == ["half a reply"]


def test_responses_are_split():
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: x\r\n\r\nabHTTP/1.0 400 No\r\n\r\nleft"
    [first, second], rest = split(data)
    assert (first.status, first.body, first.headers) == (
        200,
        b"ab",
        (("content-length", "(right)"),),
    )
    assert (second.status, second.version, second.body, rest) == (400, "1.0", b"left", b"")
    assert split(data[:40]) == ((), data[:40])


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        ((400, "JSON Parse error: a"), (400, "JSON Parse error: b"), intended.INTENDED[0].name),
        ((400, "JSON Parse error: a"), (400, "other"), None),
        ((400, "JSON Parse error: a"), (200, "JSON Parse error: a"), None),
    ],
)
def test_intended_differences_are_recognized(first, second, name):
    question = rest(b"[x")
    first, second = (
        http(status, b'{"error":"%s"}' % text.encode()) for status, text in (first, second)
    )
    assert comparison.differences(question, first, second)
    found = intended.recognized(question, first, second)
    assert (found and found.name) == name


@pytest.mark.parametrize(
    ("body", "recognized"),
    [
        (b'{"inputs": {"a": 1, "b": 2}}', True),
        (b'{"instances": [{"a": 1}, {"a": 1, "b": 2}]}', True),
        (b'{"inputs": {"a": 1}, "signature_name": "s"}', False),
        (b'{"inputs": {"s": 1}, "signature_name": "types"}x', True),
        (b'{"inputs": {"s": 1}, "signature_name": "echo_int8"}', False),
        (b'{"inputs": [1, 2]}', False),
    ],
)
def test_another_wrong_input_is_named_only_if_there_are_several(body, recognized):
    question = Rest("POST", "/v1/models/odd:predict", body)
    replies = http(400, b'{"error": "a"}'), http(400, b'{"error": "b"}')
    assert bool(intended.recognized(question, *replies)) == recognized


@pytest.mark.parametrize(
    ("first", "second", "differs"),
    [
        (b'{"a": 1.0, "b": [2]}', b'{"b":[2],"a":1.0}', False),
        (b'{"a": 1.0}', b'{"a": 1}', True),
        (b'{"a": 1.7e+09}', b'{"a": 1700000000.0}', True),
        (b'{"error": "x\\n\\t [[{{node a}}]]"}', b'{"error": "x\\n\\t [[{{node b}}]]"}', False),
        (b"text", b"Text", True),
        (b"from proto: goo.gle/debugstr  x", b"from proto: goo.gle/debugproto x", False),
    ],
)
def test_bodies_are_compared_as_json_with_their_digits(first, second, differs):
    found = comparison.differences(rest(b"1"), http(200, first), http(200, second))
    assert bool(found) == differs


def test_a_call_is_made_smaller():
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "odd", "echo_string"
    request.output_filter.append("y")
    values = [b"long text", b"x\0", b"other"]
    request.inputs["x"].CopyFrom(tensor_pb2.TensorProto(string_val=values, dtype=7))
    request.inputs["more"].dtype = 1

    def shows_fault(question):
        tensors = predict_pb2.PredictRequest.FromString(question.data).inputs.values()
        return any(value.endswith(b"\0") for tensor in tensors for value in tensor.string_val)

    found = shrinking.smallest(Call("Predict", request.SerializeToString()), shows_fault)
    smallest = predict_pb2.PredictRequest()
    smallest.inputs["x"].string_val.append(b"x\0")
    assert predict_pb2.PredictRequest.FromString(found.data) == smallest


def test_a_body_is_made_smaller():
    body = json.dumps({"inputs": [[1, 2], [3, {"b64": "YQ="}]], "other": "x" * 100})
    question = Rest("POST", "/p", body.encode())
    found = shrinking.smallest(question, lambda one: b'"YQ="' in one.body)
    assert found.body == b'"YQ="'


def test_a_conversation_is_made_smaller():
    question = Conversation((GOOD, Message(b"GET", b"/x", headers=HOST * 2), GOOD), noise=b"n")
    found = shrinking.smallest(question, lambda one: any(m.verb == b"GET" for m in one.messages))
    assert found == Conversation((Message(b"GET", b"/x", headers=()),))


def test_the_readme_lists_the_intended_differences():
    text = (Path(__file__).parent / "README.md").read_text()
    assert all(f"| {one.name} | {one.because} |" in text for one in intended.INTENDED)
