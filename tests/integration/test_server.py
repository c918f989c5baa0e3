"""The server that the suite is told to start: asked, swapped, stopped."""

from __future__ import annotations

import concurrent.futures
import os
import shutil
import signal
import threading
import time

import grpc
import pytest
import seq2sum
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)


@pytest.fixture(scope="module")
def channel(shared_server):
    with grpc.insecure_channel(shared_server.target) as channel:
        yield channel


@pytest.fixture(scope="module")
def prediction(channel):
    """tensorflow-serving-api's own stub."""
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def predict_request(*questions, **spec):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = spec.get("name", "seq2sum")
    request.model_spec.signature_name = spec.get("signature", "")
    if "version" in spec:
        request.model_spec.version.value = spec["version"]
    request.inputs["questions"].CopyFrom(tf.make_tensor_proto(list(questions), tf.string))
    return request


def test_tensorflow_servings_own_stub_gets_right_answers(prediction):
    response = prediction.Predict(predict_request("3+4", "9+9", "nonsense"), timeout=10)
    assert tf.make_ndarray(response.outputs["answers"]).tolist() == [b"7", b"18", b""]
    assert tf.make_ndarray(response.outputs["status"]).tolist() == [0, 0, 1]
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"


def test_every_signature_is_served(prediction):
    request = predict_request("3+4", signature="probabilities")
    outputs = prediction.Predict(request, timeout=10).outputs
    assert tf.make_ndarray(outputs["probabilities"]).shape == (1, 2, 12)
    request = predict_request("3+4", signature="one_hot")
    outputs = prediction.Predict(request, timeout=10).outputs
    assert tf.make_ndarray(outputs["one_hot"]).shape == (1, 3, 12)


def test_an_output_filter_leaves_the_others_out(prediction):
    request = predict_request("3+4")
    request.output_filter.append("answers")
    assert list(prediction.Predict(request, timeout=10).outputs) == ["answers"]


def test_metadata_gives_the_signatures(prediction):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "seq2sum"
    response = prediction.GetModelMetadata(request, timeout=10)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "probabilities", "one_hot"} <= set(signatures.signature_def)
    inputs = signatures.signature_def["serving_default"].inputs
    assert inputs["questions"].dtype == tf.string.as_datatype_enum


def test_status_gives_the_version(channel):
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "seq2sum"
    [row] = stub.GetModelStatus(request, timeout=10).model_version_status
    assert (row.version, row.state, row.status.error_code) == (1, row.AVAILABLE, 0)


FAILING = [
    (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
    (predict_request(name=""), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    (
        predict_request(name="nope"),
        "NOT_FOUND",
        "Servable not found for request: Latest(nope)",
    ),
    (
        predict_request(version=0),
        "NOT_FOUND",
        "Servable not found for request: Specific(seq2sum, 0)",
    ),
    (
        predict_request(signature="nope"),
        "FAILED_PRECONDITION",
        'Serving signature key "nope" not found.',
    ),
]


@pytest.mark.parametrize(("request_", "code", "message"), FAILING)
def test_a_refused_request_gets_tensorflow_servings_code_and_words(
    prediction, request_, code, message
):
    with pytest.raises(grpc.RpcError) as caught:
        prediction.Predict(request_, timeout=10)
    assert (caught.value.code().name, caught.value.details()) == (code, message)


@pytest.mark.parametrize("method", ["/tensorflow.serving.Nope/Nope", "/x/y"])
def test_an_unknown_method_is_unimplemented(channel, method):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(method)(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_bytes_that_are_no_request_are_an_internal_error(channel, prediction):
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"\xff\xff\xff", timeout=10)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert prediction.Predict(predict_request("1+1"), timeout=10).outputs  # and it goes on


def test_a_wrong_dtype_is_never_cast(prediction):
    request = predict_request()
    request.inputs["questions"].CopyFrom(tf.make_tensor_proto([1.0]))
    with pytest.raises(grpc.RpcError) as caught:
        prediction.Predict(request, timeout=10)
    assert caught.value.details() == "Expects arg[0] to be string but float is provided"


def test_concurrent_callers_get_their_own_answers(shared_server):
    with seq2sum.Client(shared_server.target) as client:

        def ask(number):
            question = f"{number % 10}+{number // 10 % 10}"
            return client.add(question).value == number % 10 + number // 10 % 10

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            assert all(pool.map(ask, range(400)))


class Caller:
    """Asks without a pause from a thread, and keeps what came of it."""

    def __init__(self, target: str) -> None:
        self.failures: list[Exception] = []
        self.first_seen: dict[int, float] = {}
        self.calls = 0
        self._target = target
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _run(self):
        with seq2sum.Client(self._target, timeout=30) as client:
            while not self._done.is_set():
                try:
                    answer = client.add("3+4")
                    assert answer.value == 7
                except (seq2sum.Seq2SumError, AssertionError) as error:
                    self.failures.append(error)
                self.calls += 1
                self.first_seen.setdefault(answer.version, time.monotonic())

    def wait_for(self, version, seconds):
        deadline = time.monotonic() + seconds
        while version not in self.first_seen and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.first_seen.get(version)


def test_a_second_export_answers_soon_after_it_is_published(
    command, small_run, base_path, start_server
):
    server = start_server(base_path)
    with Caller(server.target) as caller:
        assert caller.wait_for(1, 20)
        done = command("seq2sum-train", "export", small_run, "--to", base_path)
        assert done.returncode == 0, done.stderr
        # The rename set the time of the directory that it went into.
        published = time.monotonic() - (time.time() - base_path.stat().st_mtime)
        seen = caller.wait_for(2, 20)
        with seq2sum.Client(server.target) as client:
            deadline = time.monotonic() + 20
            while client.versions()[1].state is not seq2sum.State.END:
                assert time.monotonic() < deadline, client.versions()
                time.sleep(0.05)
    assert not caller.failures
    assert caller.calls > 100
    assert seen is not None
    assert seen - published < 2


def test_a_half_copied_version_never_serves_and_the_old_one_goes_on(base_path, start_server):
    server = start_server(base_path, flags=["--max_num_load_retries=0"])
    shutil.copytree(base_path / "1", base_path / "staged")
    (base_path / "staged" / "saved_model.pb").unlink()
    (base_path / "staged").rename(base_path / "2")
    shutil.copytree(base_path / "1", base_path / "cut")
    os.truncate(base_path / "cut" / "saved_model.pb", 50_000)
    with Caller(server.target) as caller, seq2sum.Client(server.target) as client:
        assert caller.wait_for(1, 20)
        assert wait_for_end(client, 2) == (
            "Specified file path does not appear to contain a SavedModel bundle (should have a "
            f"file called `saved_model.pb`)\nSpecified file path: {base_path / '2'}"
        )
        (base_path / "cut").rename(base_path / "3")
        assert wait_for_end(client, 3)
    assert not caller.failures
    assert set(caller.first_seen) == {1}


def wait_for_end(client, version):
    """The load error of a version that ends."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for entry in client.versions():
            if entry.version == version and entry.state is seq2sum.State.END:
                return entry.error
        time.sleep(0.05)
    raise AssertionError(f"version {version} did not end: {client.versions()}")


@pytest.mark.embedded
def test_sigterm_lets_calls_in_flight_finish(base_path, start_server):
    server = start_server(base_path)
    request = predict_request(*["3+4"] * 4096)
    with grpc.insecure_channel(server.target) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        calls = [stub.Predict.future(request, timeout=60) for _ in range(100)]
        while sum(call.done() for call in calls) < 10:
            time.sleep(0.005)
        server.process.send_signal(signal.SIGTERM)
        in_flight = [call for call in calls if not call.done()]
        replies = [call.result() for call in calls]
        assert len(in_flight) > 10
        assert all(len(reply.outputs["answers"].string_val) == 4096 for reply in replies)
        assert server.process.wait(30) == 0
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(request, timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.embedded
def test_sigterm_while_a_version_is_loading_ends_cleanly(base_path, start_server):
    server = start_server(base_path, wait=False)
    deadline = time.monotonic() + 60
    while "Loading servable version" not in server.log.read_text():
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.002)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0


@pytest.fixture
def slow_model(tmp_path):
    """A base path whose model takes some seconds to answer: `steps` of a large product."""
    block = tf.fill([400, 400], 1 / 400)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="steps")])
    def slow(steps):
        return {"done": tf.while_loop(lambda i, _: i < steps, multiply, (0, block))[1]}

    def multiply(step, product):
        return step + 1, product @ block

    base = tmp_path / "slow"
    tf.saved_model.save(tf.Module(), str(base / "1"), signatures={"serving_default": slow})
    return base


@pytest.mark.embedded
def test_after_the_grace_the_server_ends_whatever_still_runs(slow_model, start_server):
    server = start_server(slow_model, flags=["--shutdown_grace_seconds=0.5"])
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "seq2sum"
    request.inputs["steps"].CopyFrom(tf.make_tensor_proto(10_000_000))
    with grpc.insecure_channel(server.target) as channel:
        call = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict.future(request)
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
        assert call.exception().code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


@pytest.mark.embedded
def test_what_keeps_a_server_from_starting_is_told_in_one_line(
    base_path, start_server, shared_server, tmp_path
):
    def failure(base, **how):
        code, line = start_server(base, wait=False, **how).wait_for_exit()
        assert code == 255
        return line

    assert "cannot listen on" in failure(base_path, port=shared_server.port)
    assert "--port" in failure(base_path, port=shared_server.port)
    assert "Could not find base path" in failure(tmp_path / "nowhere")
    assert "absolute path" in failure("models/seq2sum")
    assert "unrecognized arguments: --prot=1" in failure(base_path, flags=["--prot=1"])
    assert "is not a port" in failure(base_path, port=99999)
    (base_path / "1" / "saved_model.pb").unlink()
    line = failure(base_path)
    assert line.startswith("Failed to start server. Error: UNKNOWN: 1 servable(s) did not become")
    assert "does not appear to contain a SavedModel bundle" in line


def test_the_port_opens_only_when_a_version_serves(base_path, start_server):
    (base_path / "1").rename(base_path.parent / "aside")
    server = start_server(base_path, wait=False)
    deadline = time.monotonic() + 20
    while "No versions of servable" not in server.log.read_text():
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.05)
    assert not server.is_open()
    (base_path.parent / "aside").rename(base_path / "1")
    server.wait_until_open()
    with seq2sum.Client(server.target) as client:
        assert client.add("1+1").value == 2
