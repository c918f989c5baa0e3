"""A server with one worker: clients see no difference between its processes."""

from __future__ import annotations

import os
import shutil
import signal
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
import tensorflow as tf
from google.protobuf import text_format
from support import proc_files, servers
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

pytestmark = [pytest.mark.tensorflow, pytest.mark.server, pytest.mark.embedded]

FIXTURE = Path(__file__).parents[1] / "conformance" / "fixture"
PROCESSES = "--server_processes=2"
ANY_LABEL = "--allow_version_labels_for_unavailable_models"
CONNECTIONS = 16
SECONDS = 60
MONITORING = 'prometheus_config { enable: true path: "/metrics" }'
BATCHES = "max_batch_size { value: 1000 } batch_timeout_micros { value: 4000000 }"
"""Smaller batches wait for seconds."""


@contextmanager
def running(folder, *, config=None, base=None, flags=()):
    """A server with one worker, both serving."""
    monitoring = folder / "monitoring.config"
    monitoring.write_text(MONITORING)
    more = ["--max_num_load_retries=0", f"--monitoring_config_file={monitoring}", *flags]
    server = servers.Server.launch(
        base,
        folder,
        model_name="m",
        config=config,
        flags=[PROCESSES, *more],
        rest=True,  # it opens last
        forked=True,
    )
    try:
        yield server.wait_until_open()
    finally:
        server.stop()


@contextmanager
def connections(server):
    """Channels, so many that each process serves some."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.insecure_channel(server.target, options) for _ in range(CONNECTIONS)]
    try:
        for channel in channels:
            grpc.channel_ready_future(channel).result(SECONDS)
        yield channels
    finally:
        for channel in channels:
            channel.close()


def publish(base, version):
    """Copies a version of the fixture into a base path atomically."""
    base.mkdir(parents=True, exist_ok=True)
    shutil.copytree(FIXTURE / str(version), base / "staged")
    (base / "staged").rename(base / str(version))


def model_config(**models):
    """A configuration of models: their base paths and labels, by name."""
    config = model_server_config_pb2.ModelServerConfig()
    for name, (base, labels) in models.items():
        model = config.model_config_list.config.add(
            name=name, base_path=str(base), model_platform="tensorflow"
        )
        model.model_version_policy.all.SetInParent()
        for label, version in labels.items():
            model.version_labels[label] = version
    return config


def predict(channel, *, wait=True, **spec):
    """The version that ran Predict; without `wait` the future of the call."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = spec.get("name", "m")
    if "label" in spec:
        request.model_spec.version_label = spec["label"]
    request.inputs["questions"].CopyFrom(tf.make_tensor_proto([b"1+1"], tf.string))
    call = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
    if not wait:
        return call.future(request, timeout=SECONDS)
    return call(request, timeout=SECONDS).model_spec.version.value


def status(channel, name="m"):
    """States by version, with the codes of their errors."""
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = name
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    response = stub.GetModelStatus(request, timeout=SECONDS)
    return {
        row.version: (get_model_status_pb2.ModelVersionStatus.State.Name(row.state), code)
        for row in response.model_version_status
        for code in [row.status.error_code]
    }


def reload(channel, config):
    request = model_management_pb2.ReloadConfigRequest(config=config)
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    return stub.HandleReloadConfigRequest(request, timeout=SECONDS)


def error_of(call, channel):
    with pytest.raises(grpc.RpcError) as raised:
        call(channel)
    return raised.value.code().name, raised.value.details()


def wait_until(condition):
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def metric_value(server, sample):
    """The value on the Prometheus page; 0 if it is missing."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=SECONDS) as page:
        rows = [line.rpartition(" ") for line in page.read().decode().splitlines()]
    return next((int(value) for name, _, value in rows if name == sample), 0)


def assert_both_connected(server):
    pids = (server.process.pid, proc_files.only_child(server.process.pid))
    assert all(proc_files.connection_count(pid, server.port) for pid in pids)


def socket_folder(server):
    """The folder of the socket between the processes."""
    paths = proc_files.unix_socket_paths(server.process.pid)
    [folder] = {path.parent for path in paths if "/seq2sum-serve-" in str(path)}
    return folder


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    publish(folder / "m", 1)
    config = folder / "models.config"
    config.write_text(text_format.MessageToString(model_config(m=(folder / "m", {"stable": 1}))))
    with running(folder, config=config, flags=[ANY_LABEL]) as server:
        yield server


def test_both_processes_serve_and_metrics_are_summed(shared):
    with connections(shared) as channels:
        assert_both_connected(shared)
        count = ':tensorflow:serving:request_count{model_name="m",status="OK"}'
        before = metric_value(shared, count)
        for channel in channels:
            assert predict(channel) == predict(channel, label="stable") == 1
        assert metric_value(shared, count) - before == 2 * CONNECTIONS


def test_reload_holds_in_all_processes_and_errors_are_equal(shared, tmp_path):
    base = tmp_path / "n"
    publish(base, 2)
    with connections(shared) as channels:
        reload(channels[-1], model_config(n=(base, {"a": 2})))
        assert {predict(channel, name="n", label="a") for channel in channels} == {2}
        publish(base, 3)
        wait_until(lambda: status(channels[0], "n").get(3) == ("AVAILABLE", 0))
        assert {predict(channel, name="n") for channel in channels} == {3}
        reload(channels[0], model_config(n=(base, {"a": 3})))
        assert {predict(channel, name="n", label="a") for channel in channels} == {3}
        refused = model_config(n=(base, {}), o=("relative", {}))
        errors = {
            error_of(call, channel)
            for channel in channels
            for call in (
                lambda channel: predict(channel, name="n", label="b"),
                lambda channel: status(channel, "none"),
                lambda channel: reload(channel, refused),
            )
        }
    assert errors == {
        ("INVALID_ARGUMENT", "Unrecognized servable version label: b"),
        ("NOT_FOUND", "Could not find any versions of model none"),
        (
            "INVALID_ARGUMENT",
            "Expected model o to have an absolute path or URI; got base_path()=relative",
        ),
    }


def test_versions_are_loaded_and_unloaded_in_all_processes(shared, tmp_path):
    base = tmp_path / "p"
    publish(base, 1)
    with connections(shared) as channels:
        reload(channels[0], model_config(p=(base, {})))
        publish(base, 2)
        wait_until(lambda: status(channels[0], "p").get(2) == ("AVAILABLE", 0))
        assert {predict(channel, name="p") for channel in channels} == {2}
        publish(base, 7)
        ended = wait_until(lambda: {v: s for v, s in status(channels[0], "p").items() if s[1]})
        assert ended.keys() == {7}
        assert {predict(channel, name="p") for channel in channels} == {2}
        assert {status(channel, "p")[7] for channel in channels} == {ended[7]}
        (base / "2").rename(tmp_path / "aside")
        wait_until(lambda: status(channels[0], "p")[2] == ("END", 0))
        assert {predict(channel, name="p") for channel in channels} == {1}


def test_sigterm_finishes_calls_of_all_processes_and_removes_the_socket(tmp_path):
    publish(tmp_path / "m", 1)
    batches = tmp_path / "batches.config"
    batches.write_text(BATCHES)
    flags = ["--enable_batching", f"--batching_parameters_file={batches}"]
    with running(tmp_path, base=tmp_path / "m", flags=flags) as server:
        worker, folder = proc_files.only_child(server.process.pid), socket_folder(server)
        assert folder.stat().st_mode & 0o777 == 0o700
        with connections(server) as channels:
            assert_both_connected(server)
            calls = [predict(channel, wait=False) for channel in channels]
            count = ":tensorflow:serving:batching_session:input_batch_size_count{}"
            wait_until(lambda: metric_value(server, count) == CONNECTIONS)
            assert not any(call.done() for call in calls)
            os.kill(worker, signal.SIGTERM)  # as a terminal sends them to all processes
            os.kill(worker, signal.SIGINT)
            server.process.send_signal(signal.SIGTERM)
            assert {call.result().model_spec.version.value for call in calls} == {1}
        assert server.process.wait(SECONDS) == 0
        assert proc_files.is_gone(worker)
        assert not folder.exists()


def test_server_ends_when_one_of_its_processes_ends(tmp_path):
    publish(tmp_path / "m", 1)
    with running(tmp_path, base=tmp_path / "m") as server:
        os.kill(proc_files.only_child(server.process.pid), signal.SIGKILL)
        assert server.process.wait(SECONDS) == 1
        assert "worker 1 exited with code -9; the server stops" in server.log.read_text()
    with running(tmp_path, base=tmp_path / "m") as server:
        worker, folder = proc_files.only_child(server.process.pid), socket_folder(server)
        server.process.kill()
        wait_until(lambda: proc_files.is_gone(worker) and not folder.exists())


def test_shared_port_of_another_server_is_taken(shared, tmp_path):
    publish(tmp_path / "m", 1)
    second = servers.Server.launch(
        tmp_path / "m", tmp_path, port=shared.port, flags=[PROCESSES], forked=True
    )
    code, line = second.wait_for_exit()
    assert code == 255
    assert f"cannot listen on {shared.target}" in line
