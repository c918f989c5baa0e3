"""Whatever bytes come in on its ports, the server goes on and answers everybody else."""

from __future__ import annotations

import http.client
import json
import socket
import threading

import grpc
import processes
import pytest
import tensorflow as tf
from conformance import case, exchange
from conformance.subject import Subject
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

pytestmark = pytest.mark.embedded

bounded = settings(derandomize=True, max_examples=150, deadline=None, database=None)
SECONDS = 20
BROKEN_SERVER = {"UNAVAILABLE", "UNKNOWN", "DEADLINE_EXCEEDED"}
"""Codes that no fuzzed message may lead to: no answer, an error nobody foresaw, a hang."""

SIGNATURES = {
    "": ["questions"],
    "matrix": ["x", "y"],
    "types": ["b", "f64", "i16", "i64", "i8", "s", "u32", "u64", "u8"],
    "rare_types": ["bf16", "c64", "f16", "u16"],
    "scaled": ["a", "k"],
    "scalar": ["text"],
    "blob": ["blob"],
    "nope": ["x"],
}
NUMBERS = st.one_of(st.integers(-(2**31), 2**31 - 1), st.sampled_from([0, 1, 65535]))
# Sizes between these would only cost memory, as they do on the real server.
SIZES = st.one_of(st.integers(-2, 5), st.sampled_from([2**40, 2**62, 2**63 - 1, -(2**63)]))


@st.composite
def tensors(draw):
    """TensorProtos with every field at odds with every other."""
    proto = tensor_pb2.TensorProto(dtype=draw(st.integers(0, 40) | st.sampled_from([101, 107, -1])))
    for size in draw(st.lists(SIZES, max_size=4)):
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.unknown_rank = draw(st.booleans())
    proto.tensor_content = draw(st.just(b"") | st.binary(max_size=40))
    proto.float_val.extend(draw(st.lists(st.floats(width=32), max_size=4)))
    proto.int_val.extend(draw(st.lists(NUMBERS, max_size=4)))
    proto.half_val.extend(draw(st.lists(NUMBERS, max_size=2)))
    proto.scomplex_val.extend(draw(st.lists(st.floats(width=32), max_size=3)))
    proto.string_val.extend(draw(st.lists(st.binary(max_size=8), max_size=4)))
    proto.bool_val.extend(draw(st.lists(st.booleans(), max_size=2)))
    proto.uint64_val.extend(draw(st.lists(st.integers(0, 2**64 - 1), max_size=2)))
    return proto


@st.composite
def requests(draw):
    """Predict requests of such tensors, under names that are sometimes right."""
    signature = draw(st.sampled_from(sorted(SIGNATURES)))
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "fixture"
    request.model_spec.signature_name = signature
    names = draw(st.just(SIGNATURES[signature]) | st.lists(st.text(max_size=5), max_size=2))
    for name in names:
        request.inputs[name].CopyFrom(draw(tensors()))
    request.output_filter.extend(draw(st.lists(st.sampled_from(["z", "y", ""]), max_size=2)))
    return request


anything_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["b64", "x", "y", "questions"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    subject = Subject(case.BASE, tmp_path_factory.mktemp("fuzz") / "server", processes.forked)
    try:
        assert subject.wait_until_open(), subject.log.read_text()
        yield subject
        assert subject.process.poll() is None, subject.log.read_text()[-2000:]
    finally:
        subject.stop()


@pytest.fixture(autouse=True)
def good_calls_beside(subject):
    """A client of its own that asks all the time; each of its calls must be answered."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "fixture"
    request.inputs["questions"].CopyFrom(tf.make_tensor_proto(["20+22"], tf.string))
    over, wrong, asked = threading.Event(), [], []

    def ask():
        with grpc.insecure_channel(f"127.0.0.1:{subject.ports['grpc']}") as channel:
            call = channel.unary_unary(exchange.PREDICTION + "Predict")
            while not over.wait(0.01):
                try:
                    reply = call(request.SerializeToString(), timeout=SECONDS)
                except grpc.RpcError as error:
                    wrong.append(error)
                    return
                answers = predict_pb2.PredictResponse.FromString(reply).outputs["answers"]
                asked.append(list(answers.string_val) == [b"42"])

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    over.set()
    thread.join()
    assert not wrong
    assert asked
    assert all(asked)


@bounded
@given(requests())
def test_any_tensors_are_answered_or_refused(subject, request):
    code, message, _ = subject.call(
        exchange.PREDICTION + "Predict", request.SerializeToString(), SECONDS
    )
    assert code not in BROKEN_SERVER, message


@bounded
@given(st.sampled_from(sorted(exchange.METHODS)), st.binary(max_size=60))
def test_any_bytes_as_a_message_are_answered_or_refused(subject, method, data):
    code, message, _ = subject.call(exchange.METHODS[method][0] + method, data, SECONDS)
    assert code not in BROKEN_SERVER, message


@bounded
@given(
    st.sampled_from(["fixture", "solo", "x"]),
    st.sampled_from(["predict", "classify", "regress"]),
    st.fixed_dictionaries(
        {},
        optional={
            "instances": anything_json,
            "inputs": anything_json,
            "examples": anything_json,
            "signature_name": st.sampled_from(sorted(SIGNATURES)) | anything_json,
        },
    ).map(json.dumps)
    | st.text(max_size=30)
    | anything_json.map(json.dumps),
)
def test_any_rest_body_is_answered_or_refused(subject, model, verb, body):
    connection = http.client.HTTPConnection("127.0.0.1", subject.ports["rest"], timeout=SECONDS)
    connection.request("POST", f"/v1/models/{model}:{verb}", body.encode())
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    assert reply.status in (200, 400, 404, 501), text
    assert reply.status == 200 or b"error" in text


@bounded
@given(
    st.sampled_from(["grpc", "rest"]),
    st.sampled_from(
        [
            b"",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
            b"GET /v1/models/fixture HTTP/1.1\r\n",
            b"POST /v1/models/fixture:predict HTTP/1.1\r\nContent-Length: 10\r\n\r\n",
            b"POST /v1/models/fixture:predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n",
        ]
    ),
    st.binary(max_size=200),
)
def test_any_bytes_on_a_port_harm_nobody_else(subject, which, start, noise):
    with socket.create_connection(("127.0.0.1", subject.ports[which]), SECONDS) as raw:
        raw.sendall(start + noise)
        raw.shutdown(socket.SHUT_WR)
        raw.settimeout(SECONDS)
        try:
            while raw.recv(10_000):
                pass
        except ConnectionError:
            pass  # the server may hang up as it likes
