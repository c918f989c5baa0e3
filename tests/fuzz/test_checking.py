"""The fuzzer's checks of replies, by invariants and by comparison, and its minimizer."""

from __future__ import annotations

import json

import pytest
from fuzz import comparison, http_rules, intended_differences, invariants, rest_echoes, shrinking
from fuzz.inputs import Call, Conversation, Message, Rest
from fuzz.replies import GrpcReply, HttpReply, NoReply, Replies, split
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2

pytestmark = pytest.mark.tensorflow

HOST = ((b"Host: ", b"x"),)
GOOD = Message(b"POST", b"/v1/models/odd:predict", b'{"instances":[7.5]}')
JSON = (("content-type", "application/json"),)


def call(signature="echo_float32", **tensor):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "odd", signature
    request.inputs["x"].CopyFrom(tensor_pb2.TensorProto(**tensor))
    return Call("Predict", request.SerializeToString())


def reply_with(**tensor):
    reply = predict_pb2.PredictResponse()
    reply.outputs["y"].CopyFrom(tensor_pb2.TensorProto(**tensor))
    return GrpcReply("OK", "", reply.SerializeToString())


def http(status, body, headers=JSON):
    return HttpReply(status, headers, body)


def rest(value, key="inputs", signature="echo_float32"):
    body = b'{"signature_name":"%s","%s":%s}' % (signature.encode(), key.encode(), value)
    return Rest("POST", "/v1/models/odd:predict", body)


def fault_kinds(test_input, reply):
    return [fault.kind for fault in invariants.check(test_input, reply)]


FLOAT = types_pb2.DT_FLOAT
WORDING = intended_differences.INTENDED[0].name
TWO = {"dim": [{"size": 2}]}


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ({"float_val": [1.5]}, {"float_val": [1.5]}),
        ({"float_val": [1.5], "tensor_shape": TWO}, {"float_val": [1.5, 1.5], "tensor_shape": TWO}),
        ({"tensor_content": b"\0\0\x80\x7f"}, {"float_val": [float("inf")]}),
        ({"int_val": [3]}, {}),
    ],
)
def test_equal_value_in_another_encoding_passes(sent, received):
    assert not fault_kinds(call(dtype=FLOAT, **sent), reply_with(dtype=FLOAT, **received))


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ({"float_val": [1.5]}, {"float_val": [1.25]}),
        ({"float_val": [1.5]}, {"float_val": [1.5], "tensor_shape": {"dim": [{"size": 1}]}}),
        ({"float_val": [0.0]}, {"float_val": [-0.0]}),
        # A NaN whose bits changed.
        ({"tensor_content": b"\x01\0\x80\x7f"}, {"tensor_content": b"\x01\0\xc0\x7f"}),
        ({"tensor_content": b"\0\0\0"}, {"float_val": [0.0]}),
    ],
)
def test_a_changed_value_is_a_fault(sent, received):
    reply = reply_with(dtype=FLOAT, **received)
    assert fault_kinds(call(dtype=FLOAT, **sent), reply) == ["changed value"]


@pytest.mark.parametrize(
    ("test_input", "reply", "faults"),
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
def test_faults_of_grpc_replies(test_input, reply, faults):
    assert fault_kinds(test_input, reply) == faults


@pytest.mark.parametrize(
    ("test_input", "reply", "faults"),
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
def test_faults_of_rest_replies(test_input, reply, faults):
    assert fault_kinds(test_input, reply) == faults


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
def test_rounding_of_tensorflow_model_server_passes(text, reply):
    body = b'{"outputs":[%s]}' % reply.encode()
    assert not fault_kinds(rest(b"[" + text + b"]"), http(200, body))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("YQ==", b"a"),
        ("YQ", b"a"),
        ("YQ..", b"a"),
        ("/+8=", b"\xff\xef"),
        ("_-8=", rest_echoes.REJECTED),
        ("YR==", b"a"),
        ("", b""),
        ("YQ=", rest_echoes.REJECTED),
        ("YQ===", rest_echoes.REJECTED),
        ("=", rest_echoes.REJECTED),
        ("Y", rest_echoes.REJECTED),
        ("Y!", rest_echoes.REJECTED),
        ("Y Q", None),
    ],
)
def test_base64_needs_no_padding_or_the_right_amount(text, value):
    request = rest(b'[{"b64":"%s"}]' % text.encode(), signature="echo_string")
    expected = ("outputs", [value], "string") if isinstance(value, bytes) else value
    assert rest_echoes.expected(request) == expected


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
def test_expected_replies_of_a_conversation(messages, options, statuses, exact):
    expected = http_rules.expected(Conversation(tuple(messages), **options))
    assert (expected.statuses, expected.exact) == (statuses, exact)


def test_faults_of_replies_to_a_conversation():
    two = Conversation((GOOD, GOOD))
    good = http(200, b'{"predictions":[7.5]}')
    assert not fault_kinds(two, Replies((good, good), b"", "open"))
    assert fault_kinds(two, Replies((good,), b"", "closed")) == ["no reply instead of 200"]
    assert fault_kinds(two, Replies((good, good, good), b"", "open")) == ["200 instead of no reply"]
    other = http(200, b'{"predictions":[8.5]}')
    assert fault_kinds(two, Replies((good, other), b"", "open")) == ["another request's reply"]
    assert fault_kinds(two, Replies((good, good), b"HTTP", "open")) == ["half a reply"]


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
        ((400, "JSON Parse error: a"), (400, "JSON Parse error: b"), WORDING),
        ((400, "JSON Parse error: a"), (400, "other"), None),
        ((400, "JSON Parse error: a"), (200, "JSON Parse error: a"), None),
    ],
)
def test_intended_differences_are_recognized(first, second, name):
    request = rest(b"[x")
    first, second = (
        http(status, b'{"error":"%s"}' % text.encode()) for status, text in (first, second)
    )
    assert comparison.differences(request, first, second)
    found = intended_differences.recognize(request, first, second)
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
def test_errors_may_name_different_inputs_if_there_are_several(body, recognized):
    request = Rest("POST", "/v1/models/odd:predict", body)
    replies = http(400, b'{"error": "a"}'), http(400, b'{"error": "b"}')
    assert bool(intended_differences.recognize(request, *replies)) == recognized


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


def test_minimizing_a_call():
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "odd", "echo_string"
    request.output_filter.append("y")
    values = [b"long text", b"x\0", b"other"]
    request.inputs["x"].CopyFrom(tensor_pb2.TensorProto(string_val=values, dtype=7))
    request.inputs["more"].dtype = 1

    def shows_fault(request):
        tensors = predict_pb2.PredictRequest.FromString(request.data).inputs.values()
        return any(value.endswith(b"\0") for tensor in tensors for value in tensor.string_val)

    found = shrinking.minimize(Call("Predict", request.SerializeToString()), shows_fault)
    smallest = predict_pb2.PredictRequest()
    smallest.inputs["x"].string_val.append(b"x\0")
    assert predict_pb2.PredictRequest.FromString(found.data) == smallest


def test_minimizing_a_body():
    body = json.dumps({"inputs": [[1, 2], [3, {"b64": "YQ="}]], "other": "x" * 100})
    request = Rest("POST", "/p", body.encode())
    found = shrinking.minimize(request, lambda smaller: b'"YQ="' in smaller.body)
    assert found.body == b'"YQ="'


def test_minimizing_a_conversation():
    conversation = Conversation((GOOD, Message(b"GET", b"/x", headers=HOST * 2), GOOD), noise=b"n")

    def has_get(smaller):
        return any(message.verb == b"GET" for message in smaller.messages)

    found = shrinking.minimize(conversation, has_get)
    assert found == Conversation((Message(b"GET", b"/x", headers=()),))
