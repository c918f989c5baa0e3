"""Start, new versions, broken versions and stop of a server that is called meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time

import grpc
import pytest
import seq2sum
import tensorflow as tf
from support.raw_requests import predict_request
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

pytestmark = [pytest.mark.tensorflow, pytest.mark.server]

PAUSE_SECONDS = 0.005
"""Between two calls of a caller: without a pause it would take half of the machine."""
TIMEOUT_SECONDS = 90
"""For each change of a version; it takes one or two seconds on an idle machine."""
SECONDS_CLOSED = 4.0
"""Time for which a port must stay closed: longer than a start and some polls of one second."""


class Caller:
    """Calls the server continuously from a thread, and records versions and failures."""

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
            while not self._done.wait(PAUSE_SECONDS):
                self.calls += 1
                try:
                    answer = client.add("3+4")
                    assert answer.value == 7
                    self.first_seen.setdefault(answer.version, time.monotonic())
                except (seq2sum.Seq2SumError, AssertionError) as error:
                    self.failures.append(error)

    def wait_for(self, version, seconds):
        deadline = time.monotonic() + seconds
        while version not in self.first_seen and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.first_seen.get(version)


def test_new_version_serves_soon_after_it_is_published(command, evaluated, base_path, start_server):
    server = start_server(base_path)
    with Caller(server.target) as caller:
        assert caller.wait_for(1, TIMEOUT_SECONDS)
        done = command("seq2sum-train", "export", evaluated[0], "--to", base_path)
        assert done.returncode == 0, done.stderr
        # The rename has set the modification time of the base path.
        published = time.monotonic() - (time.time() - base_path.stat().st_mtime)
        served = caller.wait_for(2, TIMEOUT_SECONDS)
        with seq2sum.Client(server.target) as client:
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while client.versions()[1].state is not seq2sum.State.END:
                assert time.monotonic() < deadline, client.versions()
                time.sleep(0.05)
    assert not caller.failures
    assert caller.calls > 100
    assert served is not None
    assert served - published < 30  # about one second on an idle machine


def test_incomplete_version_never_serves_and_the_old_one_serves_on(base_path, start_server):
    server = start_server(base_path, flags=["--max_num_load_retries=0"])
    shutil.copytree(base_path / "1", base_path / "staged")
    (base_path / "staged" / "saved_model.pb").unlink()
    (base_path / "staged").rename(base_path / "2")
    shutil.copytree(base_path / "1", base_path / "cut")
    os.truncate(base_path / "cut" / "saved_model.pb", 50_000)
    with Caller(server.target) as caller, seq2sum.Client(server.target) as client:
        assert caller.wait_for(1, TIMEOUT_SECONDS)
        assert wait_for_end(client, 2) == (
            "Specified file path does not appear to contain a SavedModel bundle (should have a "
            f"file called `saved_model.pb`)\nSpecified file path: {base_path / '2'}"
        )
        (base_path / "cut").rename(base_path / "3")
        assert wait_for_end(client, 3)
    assert not caller.failures
    assert set(caller.first_seen) == {1}


def wait_for_end(client, version):
    """Waits for the END of a version, and returns its load error."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        for entry in client.versions():
            if entry.version == version and entry.state is seq2sum.State.END:
                return entry.error
        time.sleep(0.05)
    raise AssertionError(f"version {version} did not end: {client.versions()}")


@pytest.mark.embedded
def test_sigterm_finishes_running_calls(base_path, start_server):
    server = start_server(base_path)
    request = predict_request(*["3+4"] * 4096)
    with grpc.insecure_channel(server.target) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        calls = [stub.Predict.future(request, timeout=60) for _ in range(50)]
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
def test_sigterm_while_a_version_loads_ends_the_server_at_once(base_path, start_server):
    server = start_server(base_path, wait=False)
    wait_for_log(server, "Loading servable version")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == -signal.SIGTERM  # no call can be running


@pytest.fixture
def slow_model(tmp_path):
    """A base path with a model that computes `steps` large products."""
    block = tf.fill([400, 400], 1 / 400)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="steps")], autograph=False)
    def slow(steps):
        return {"done": tf.while_loop(lambda i, _: i < steps, multiply, (0, block))[1]}

    def multiply(step, product):
        return step + 1, product @ block

    base = tmp_path / "slow"
    tf.saved_model.save(tf.Module(), str(base / "1"), signatures={"serving_default": slow})
    return base


@pytest.mark.embedded
def test_running_call_is_cut_off_after_the_grace_period(slow_model, start_server):
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
def test_last_line_of_a_failed_start_is_its_error(base_path, start_server, shared_server):
    def failure(base, **options):
        code, line = start_server(base, wait=False, **options).wait_for_exit()
        assert code == 255
        return line

    assert "cannot listen on" in failure(base_path, port=shared_server.port)
    assert "--port" in failure(base_path, port=shared_server.port)
    assert "absolute path" in failure("models/seq2sum")
    line = failure(base_path, flags=["--prot=1"])
    assert "unknown argument: --prot=1, did you mean --port" in line
    assert "expected a port" in failure(base_path, port=99999)
    (base_path / "1" / "saved_model.pb").unlink()
    server = start_server(base_path, wait=False, flags=["--max_num_load_retries=0"])
    assert server.wait_for_exit()[0] == 255
    error = server.log.read_text().partition("Failed to start server. Error: ")[2]
    assert error.startswith("UNKNOWN: 1 servable(s) did not become available: {{{name: seq2sum")
    assert "does not appear to contain a SavedModel bundle" in error


def test_port_opens_only_when_a_version_serves(base_path, start_server):
    aside = base_path.parent / "aside"
    base_path.rename(aside)
    server = start_server(base_path, wait=False)
    assert_stays_closed(server)
    base_path.mkdir()
    assert_stays_closed(server)
    (aside / "1").rename(base_path / "1")
    server.wait_until_open()
    with seq2sum.Client(server.target) as client:
        assert client.add("1+1").value == 2


def assert_stays_closed(server):
    deadline = time.monotonic() + SECONDS_CLOSED
    while time.monotonic() < deadline:
        assert not server.is_open()
        assert server.process.poll() is None, server.log.read_text()
        time.sleep(0.05)


def wait_for_log(server, text):
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while text not in server.log.read_text():
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.002)
