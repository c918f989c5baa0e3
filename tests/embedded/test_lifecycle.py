"""A server's life: new versions, broken ones, start and stop, with callers all the while."""

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

PAUSE = 0.005
"""Between two calls, in seconds: without one they would take half of what the machine can do."""


LONGEST = 90
"""Seconds that anything may take here; it takes one or two where nothing else runs."""
SECONDS_CLOSED = 4.0
"""In which a port that must not open is looked at: a start, and some polls of a second."""


class Caller:
    """Asks all the time from a thread, and keeps what came of it."""

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
            while not self._done.wait(PAUSE):
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


def test_a_second_export_answers_soon_after_it_is_published(
    command, evaluated, base_path, start_server
):
    server = start_server(base_path)
    with Caller(server.target) as caller:
        assert caller.wait_for(1, LONGEST)
        done = command("seq2sum-train", "export", evaluated[0], "--to", base_path)
        assert done.returncode == 0, done.stderr
        # The rename set the time of the directory that it went into.
        published = time.monotonic() - (time.time() - base_path.stat().st_mtime)
        seen = caller.wait_for(2, LONGEST)
        with seq2sum.Client(server.target) as client:
            deadline = time.monotonic() + LONGEST
            while client.versions()[1].state is not seq2sum.State.END:
                assert time.monotonic() < deadline, client.versions()
                time.sleep(0.05)
    assert not caller.failures
    assert caller.calls > 100
    assert seen is not None
    assert seen - published < 30  # about one second where nothing else runs


def test_a_half_copied_version_never_serves_and_the_old_one_goes_on(base_path, start_server):
    server = start_server(base_path, flags=["--max_num_load_retries=0"])
    shutil.copytree(base_path / "1", base_path / "staged")
    (base_path / "staged" / "saved_model.pb").unlink()
    (base_path / "staged").rename(base_path / "2")
    shutil.copytree(base_path / "1", base_path / "cut")
    os.truncate(base_path / "cut" / "saved_model.pb", 50_000)
    with Caller(server.target) as caller, seq2sum.Client(server.target) as client:
        assert caller.wait_for(1, LONGEST)
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
    deadline = time.monotonic() + LONGEST
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
def test_sigterm_while_a_version_is_loading_ends_it_at_once(base_path, start_server):
    server = start_server(base_path, wait=False)
    wait_for_log(server, "Loading servable version")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == -signal.SIGTERM  # there is nothing to drain yet


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
def test_what_keeps_a_server_from_starting_is_the_last_thing_told(
    base_path, start_server, shared_server
):
    def failure(base, **how):
        code, line = start_server(base, wait=False, **how).wait_for_exit()
        assert code == 255
        return line

    assert "cannot listen on" in failure(base_path, port=shared_server.port)
    assert "--port" in failure(base_path, port=shared_server.port)
    assert "absolute path" in failure("models/seq2sum")
    line = failure(base_path, flags=["--prot=1"])
    assert "unknown argument: --prot=1, did you mean --port" in line
    assert "not a port" in failure(base_path, port=99999)
    (base_path / "1" / "saved_model.pb").unlink()
    server = start_server(base_path, wait=False, flags=["--max_num_load_retries=0"])
    assert server.wait_for_exit()[0] == 255
    told = server.log.read_text().partition("Failed to start server. Error: ")[2]
    assert told.startswith("UNKNOWN: 1 servable(s) did not become available: {{{name: seq2sum")
    assert "does not appear to contain a SavedModel bundle" in told


def test_the_port_opens_only_when_a_version_serves(base_path, start_server):
    aside = base_path.parent / "aside"
    base_path.rename(aside)
    server = start_server(base_path, wait=False)
    stays_closed(server)
    base_path.mkdir()
    stays_closed(server)
    (aside / "1").rename(base_path / "1")
    server.wait_until_open()
    with seq2sum.Client(server.target) as client:
        assert client.add("1+1").value == 2


def stays_closed(server):
    """Looks for as long as a server takes to start and to poll the disk."""
    deadline = time.monotonic() + SECONDS_CLOSED
    while time.monotonic() < deadline:
        assert not server.is_open()
        assert server.process.poll() is None, server.log.read_text()
        time.sleep(0.05)


def wait_for_log(server, words):
    deadline = time.monotonic() + LONGEST
    while words not in server.log.read_text():
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.002)
