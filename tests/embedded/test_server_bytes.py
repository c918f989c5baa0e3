"""Arbitrary bytes in requests: every gRPC method of the server keeps them unchanged."""

from __future__ import annotations

import shutil

import grpc
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from seq2sum_serving.embedded.inference import byte_labels
from support import saved_models, servers
from support.tensor_protos import as_content, read, strings
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
)

pytestmark = [pytest.mark.embedded, pytest.mark.server, pytest.mark.tensorflow]

SERVICE = "/tensorflow.serving.PredictionService/"
CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
SECONDS = 60
ONE_MEGABYTE = b"\0\xff" + bytes(range(256)) * 4096 + b"\0\0"

BATCHING = """
max_batch_size { value: 64 } batch_timeout_micros { value: 2000 } num_batch_threads { value: 2 }
max_enqueued_batches { value: 100 } allowed_batch_sizes: 8 allowed_batch_sizes: 64
pad_variable_length_inputs: true
"""
SERVERS = {
    "plain": [],
    "content": ["--enable_serialization_as_tensor_content=true"],
    "batching": ["--enable_batching", "--batching_parameters_file={folder}/batching.txt"],
}

hard_bytes = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"\0", b"a\0", b"\0a", b"\0\0\0", b"\xff\0", b"\xc3(\0", "é\0".encode()]),
    st.builds(lambda text, nuls: text + b"\0" * nuls, st.binary(max_size=9), st.integers(0, 40)),
)
shapes = st.lists(st.integers(1, 3), max_size=3)
bounded = settings(derandomize=True, max_examples=15, deadline=None, database=None)

WARM_UP = [b"", b"\0", b"a\0", b"\xff\0", ONE_MEGABYTE]


class Caller:
    """Calls a server and parses the bytes of its replies."""

    def __init__(self, channel, *, batched):
        self.channel = channel
        self.batched = batched

    def call(self, method, request, response):
        send = self.channel.unary_unary(SERVICE + method)
        return response.FromString(send(request.SerializeToString(), timeout=SECONDS))

    def predict(self, signature, **inputs):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "odd"
        request.model_spec.signature_name = signature
        for alias, tensor in inputs.items():
            request.inputs[alias].CopyFrom(tensor)
        response = self.call("Predict", request, predict_pb2.PredictResponse)
        return dict(response.outputs)


@pytest.fixture(scope="module", params=SERVERS)
def caller(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    version = folder / "odd" / "1"
    shutil.copytree(saved_models.FIXTURE2, version)
    (folder / "batching.txt").write_text(BATCHING)
    write_warm_up(version)
    server = servers.Server.launch(
        folder / "odd",
        folder,
        model_name="odd",
        flags=[
            "--max_num_load_retries=0",
            *(flag.format(folder=folder) for flag in SERVERS[request.param]),
        ],
        forked=True,
    )
    try:
        server.wait_until_open()
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(server.target, options) as channel:
            yield Caller(channel, batched=request.param == "batching")
    finally:
        server.stop()


@pytest.fixture(scope="module")
def unbatched(caller):
    """Callers of servers without batching, which accept scalars."""
    if caller.batched:
        pytest.skip("batched requests have rows")
    return caller


@pytest.fixture(scope="module")
def batched(caller):
    """The caller of the server with batching."""
    if not caller.batched:
        pytest.skip("needs batching")
    return caller


@st.composite
def string_tensors(draw, shapes=shapes):
    shape = draw(shapes)
    count = int(np.prod(shape))
    values = draw(st.lists(hard_bytes, min_size=count, max_size=count))
    return strings(values, shape)


@bounded
@given(tensor=string_tensors(), raw=st.booleans())
@example(tensor=strings([ONE_MEGABYTE], []), raw=False)
@example(tensor=strings([ONE_MEGABYTE], []), raw=True)
@example(tensor=strings([ONE_MEGABYTE, b"", b"\0"], [3, 1]), raw=False)
def test_strings_of_any_rank_keep_every_byte(caller, tensor, raw):
    if caller.batched and not tensor.tensor_shape.dim:
        tensor.tensor_shape.dim.add(size=1)  # batched requests have rows
    [y] = caller.predict("echo_string", x=as_content(tensor) if raw else tensor).values()
    assert read(y) == list(tensor.string_val)
    assert y.tensor_shape == tensor.tensor_shape


@bounded
@given(values=st.lists(hard_bytes, min_size=1, max_size=4))
@example(values=[ONE_MEGABYTE])
def test_strings_keep_every_byte_in_outputs_with_and_without_the_suffix_bytes(caller, values):
    signatures = {"vector_string": strings(values, [len(values)])}
    if not caller.batched:
        signatures["scalar_string"] = strings(values[:1], [])
    for signature, tensor in signatures.items():
        outputs = caller.predict(signature, s=tensor)
        expected = list(tensor.string_val)
        assert read(outputs["out"]) == expected
        assert read(outputs["out_bytes"]) == expected
        assert tf.make_ndarray(outputs["size"]).ravel().tolist() == list(map(len, expected))


@bounded
@given(values=st.lists(hard_bytes, min_size=1, max_size=4))
@example(values=[ONE_MEGABYTE, b""])
def test_a_scalar_from_a_vector_keeps_every_byte(unbatched, values):
    [first] = unbatched.predict("first_string", s=strings(values, [len(values)])).values()
    assert read(first) == values[:1]
    assert not first.tensor_shape.dim


@bounded
@given(
    numbers=st.lists(st.sampled_from([0.0, 1.0, -2.5, 2.0**-149, 256.0]), max_size=6),
    scalar=st.booleans(),
)
def test_serialized_tensors_can_be_parsed_again(unbatched, numbers, scalar):
    array = np.array(numbers[0] if scalar and numbers else numbers, np.float32)
    [serialized] = unbatched.predict("serialize", x=tf.make_tensor_proto(array)).values()
    [content] = read(serialized)
    assert np.array_equal(tf.io.parse_tensor(content, tf.float32).numpy(), array)
    [parsed] = unbatched.predict("parse", s=strings([content], [])).values()
    assert np.array_equal(tf.make_ndarray(parsed), array)


def examples(values):
    message = input_pb2.Input()
    for value in values:
        features = message.example_list.examples.add().features.feature
        features["s"].bytes_list.value.append(value)
        features["x"].float_list.value.append(0.25)
    return message


def labels_of(result):
    return [entry.label for each in result.classifications for entry in each.classes]


@bounded
@given(values=st.lists(hard_bytes, min_size=1, max_size=3))
@example(values=[ONE_MEGABYTE, b"\0"])
def test_labels_and_features_keep_every_byte(caller, values):
    request = classification_pb2.ClassificationRequest(input=examples(values))
    request.model_spec.name = "odd"
    request.model_spec.signature_name = "classify_bytes"
    response = caller.call("Classify", request, byte_labels.ClassificationResponse)
    assert labels_of(response.result) == values

    request = regression_pb2.RegressionRequest(input=request.input, model_spec=request.model_spec)
    request.model_spec.signature_name = "regress_bytes"
    response = caller.call("Regress", request, regression_pb2.RegressionResponse)
    assert [each.value for each in response.result.regressions] == list(map(len, values))


@bounded
@given(values=st.lists(hard_bytes, min_size=1, max_size=3))
@example(values=[ONE_MEGABYTE])
def test_labels_of_multi_inference_keep_every_byte(caller, values):
    request = inference_pb2.MultiInferenceRequest(input=examples(values))
    for name, method in (("classify_bytes", CLASSIFY), ("regress_bytes", REGRESS)):
        task = request.tasks.add(method_name=method)
        task.model_spec.name, task.model_spec.signature_name = "odd", name
    response = caller.call("MultiInference", request, byte_labels.MultiInferenceResponse)
    first, second = response.results
    assert labels_of(first.classification_result) == values
    assert [each.value for each in second.regression_result.regressions] == list(map(len, values))


@bounded
@given(value=hard_bytes, context=hard_bytes, count=st.integers(1, 3))
def test_features_of_a_context_keep_every_byte(caller, value, context, count):
    request = regression_pb2.RegressionRequest()
    request.model_spec.name, request.model_spec.signature_name = "odd", "regress_bytes"
    given = request.input.example_list_with_context
    given.context.features.feature["s"].bytes_list.value.append(context)
    for _ in range(count):
        given.examples.add().features.feature["other"].bytes_list.value.append(value)
    response = caller.call("Regress", request, regression_pb2.RegressionResponse)
    assert [each.value for each in response.result.regressions] == [len(context)] * count


def test_padded_rows_keep_every_byte(batched):
    """Pads all rows of a batch to the longest one."""
    rows = [[b"a\0"], [b"\0", b"\xff\0\0"], [b"", b"\0\0", b"b\0"]]
    channel = batched.channel.unary_unary(SERVICE + "Predict")
    calls = []
    for row in rows * 4:
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = "odd", "words"
        request.inputs["w"].CopyFrom(strings(row, [1, len(row)]))
        calls.append((row, channel.future(request.SerializeToString(), timeout=SECONDS)))
    for row, call in calls:
        response = predict_pb2.PredictResponse.FromString(call.result())
        [joined] = read(response.outputs["joined"])
        padded = joined.split(b"|")
        assert padded[: len(row)] == row
        assert set(padded[len(row) :]) <= {row[0]}


def serialized_example(value):
    """An Example whose last bytes are the value: if they are cut off, it cannot be parsed."""
    [message] = examples([value]).example_list.examples
    del message.features.feature["x"]
    return message.SerializeToString()


def write_warm_up(version):
    """Writes warm-up records of every method; a lost byte in the first one makes the load fail."""
    logs = [prediction_log_pb2.PredictionLog() for _ in range(4)]
    requests = [
        logs[0].predict_log.request,
        logs[1].classify_log.request,
        logs[2].regress_log.request,
        logs[3].multi_inference_log.request,
    ]
    requests[0].inputs["inputs"].CopyFrom(
        strings([*map(serialized_example, WARM_UP)], [len(WARM_UP)])
    )
    for request in requests[1:]:
        request.input.CopyFrom(examples(WARM_UP))
    task = requests[3].tasks.add(method_name=CLASSIFY)
    specs = [*(request.model_spec for request in requests[:3]), task.model_spec]
    names = ["classify_bytes", "classify_bytes", "regress_bytes", "classify_bytes"]
    for spec, name in zip(specs, names, strict=True):
        spec.name, spec.signature_name = "odd", name
    folder = version / "assets.extra"
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        for log in logs:
            writer.write(log.SerializeToString())


def test_warm_up_records_keep_every_byte(caller):
    """Shows that a truncated record fails, so the records of the running server were complete."""
    whole = strings([serialized_example(b"a\0")], [1])
    classes = caller.predict("classify_bytes", inputs=whole)["classes"]
    assert read(classes) == [b"a\0"]
    truncated = strings([whole.string_val[0].rstrip(b"\0")], [1])
    with pytest.raises(grpc.RpcError, match="Could not parse example input"):
        caller.predict("classify_bytes", inputs=truncated)
