"""One server of two processes: whichever a connection leads to, the answer is the same."""

from __future__ import annotations

import os
import shutil
import signal
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import pytest
import tensorflow as tf
from google.protobuf import text_format
from support import servers
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

pytestmark = pytest.mark.embedded

FIXTURE = Path(__file__).parents[1] / "conformance" / "fixture"
PROCESSES = "--server_processes=2"
ANY_LABEL = "--allow_version_labels_for_unavailable_models"
CONNECTIONS = 16
SECONDS = 60
MONITORING = 'prometheus_config { enable: true path: "/metrics" }'
BATCHES = "max_batch_size { value: 1000 } batch_timeout_micros { value: 4000000 }"
"""Whoever asks for less waits for seconds."""


@contextmanager
def running(folder, *, config=None, base=None, flags=()):
    """A server of two processes, with both of them open."""
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
    """Enough of them that each process has some."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.insecure_channel(server.target, options) for _ in range(CONNECTIONS)]
    try:
        for channel in channels:
            grpc.channel_ready_future(channel).result(SECONDS)
        yield channels
    finally:
        for channel in channels:
            channel.close()


def publish(base, version, of=None):
    """Puts a version of the fixture into a base path, all at once."""
    base.mkdir(parents=True, exist_ok=True)
    shutil.copytree(FIXTURE / str(of or version), base / "staged")
    (base / "staged").rename(base / str(version))


def listing(**models):
    """A configuration: labels by base path by name."""
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
    """What version answered; without `wait` the call."""
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
    told = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request, timeout=SECONDS)
    return {
        row.version: (get_model_status_pb2.ModelVersionStatus.State.Name(row.state), code)
        for row in told.model_version_status
        for code in [row.status.error_code]
    }


def reload(channel, config):
    request = model_management_pb2.ReloadConfigRequest(config=config)
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    return stub.HandleReloadConfigRequest(request, timeout=SECONDS)


def error_of(ask, channel):
    with pytest.raises(grpc.RpcError) as raised:
        ask(channel)
    return raised.value.code().name, raised.value.details()


def until(condition):
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def replica_of(server):
    """Its process number."""
    tasks = Path(f"/proc/{server.process.pid}/task").glob("*/children")
    [pid] = [int(pid) for task in tasks for pid in task.read_text().split()]
    return pid


def sockets_of(pid):
    """Their numbers in the tables of the system."""
    links = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            links.append(str(file.readlink()))
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}


def shares(server):
    """Number of connections of each process."""
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    port = f":{server.port:04X}"
    established = {row[9] for row in rows if row[1].endswith(port) and row[3] == "01"}
    return [len(established & sockets_of(pid)) for pid in (server.process.pid, replica_of(server))]


def number(server, sample):
    """What the Prometheus page says; 0 for what it does not show."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=SECONDS) as page:
        rows = [line.rpartition(" ") for line in page.read().decode().splitlines()]
    return next((int(value) for name, _, value in rows if name == sample), 0)


def is_gone(pid):
    """Whether a process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def inner_folder(server):
    """Where the socket is that the two have between them."""
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    ours = sockets_of(server.process.pid)
    [folder] = {
        Path(row[7]).parent for row in rows if row[6] in ours and "/seq2sum-serve-" in row[-1]
    }
    return folder


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replicas")
    publish(folder / "m", 1)
    config = folder / "models.config"
    config.write_text(text_format.MessageToString(listing(m=(folder / "m", {"stable": 1}))))
    with running(folder, config=config, flags=[ANY_LABEL]) as server:
        yield server


def test_both_processes_answer_and_metrics_count_the_calls_of_both(shared):
    with connections(shared) as channels:
        assert all(shares(shared))
        count = ':tensorflow:serving:request_count{model_name="m",status="OK"}'
        before = number(shared, count)
        for channel in channels:
            assert predict(channel) == predict(channel, label="stable") == 1
        assert number(shared, count) - before == 2 * CONNECTIONS


def test_what_is_reloaded_is_there_for_all_and_errors_are_the_same(shared, tmp_path):
    base = tmp_path / "n"
    publish(base, 2)
    with connections(shared) as channels:
        reload(channels[-1], listing(n=(base, {"a": 2})))
        assert {predict(channel, name="n", label="a") for channel in channels} == {2}
        publish(base, 3)
        until(lambda: status(channels[0], "n").get(3) == ("AVAILABLE", 0))
        assert {predict(channel, name="n") for channel in channels} == {3}
        reload(channels[0], listing(n=(base, {"a": 3})))
        assert {predict(channel, name="n", label="a") for channel in channels} == {3}
        refused = listing(n=(base, {}), o=("relative", {}))
        errors = {
            error_of(ask, channel)
            for channel in channels
            for ask in (
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


def test_versions_come_and_go_everywhere_and_a_broken_one_ends(shared, tmp_path):
    base = tmp_path / "p"
    publish(base, 1)
    with connections(shared) as channels:
        reload(channels[0], listing(p=(base, {})))
        publish(base, 2)
        until(lambda: status(channels[0], "p").get(2) == ("AVAILABLE", 0))
        assert {predict(channel, name="p") for channel in channels} == {2}
        publish(base, 7)
        ended = until(lambda: {v: s for v, s in status(channels[0], "p").items() if s[1]})
        assert ended.keys() == {7}
        assert {predict(channel, name="p") for channel in channels} == {2}
        assert {status(channel, "p")[7] for channel in channels} == {ended[7]}
        (base / "2").rename(tmp_path / "aside")
        until(lambda: status(channels[0], "p")[2] == ("END", 0))
        assert {predict(channel, name="p") for channel in channels} == {1}


def test_calls_in_flight_finish_on_both_and_nothing_is_left(tmp_path):
    publish(tmp_path / "m", 1)
    batches = tmp_path / "batches.config"
    batches.write_text(BATCHES)
    flags = ["--enable_batching", f"--batching_parameters_file={batches}"]
    with running(tmp_path, base=tmp_path / "m", flags=flags) as server:
        replica, folder = replica_of(server), inner_folder(server)
        assert folder.stat().st_mode & 0o777 == 0o700
        with connections(server) as channels:
            assert all(shares(server))
            calls = [predict(channel, wait=False) for channel in channels]
            count = ":tensorflow:serving:batching_session:input_batch_size_count{}"
            until(lambda: number(server, count) == CONNECTIONS)
            assert not any(call.done() for call in calls)
            os.kill(replica, signal.SIGTERM)  # as a terminal would
            os.kill(replica, signal.SIGINT)
            server.process.send_signal(signal.SIGTERM)
            assert {call.result().model_spec.version.value for call in calls} == {1}
        assert server.process.wait(SECONDS) == 0
        assert is_gone(replica)
        assert not folder.exists()


def test_who_loses_the_other_ends(tmp_path):
    publish(tmp_path / "m", 1)
    with running(tmp_path, base=tmp_path / "m") as server:
        os.kill(replica_of(server), signal.SIGKILL)
        assert server.process.wait(SECONDS) == 1
        assert "replica 1 has ended with code -9; the server stops" in server.log.read_text()
    with running(tmp_path, base=tmp_path / "m") as server:
        replica, folder = replica_of(server), inner_folder(server)
        server.process.kill()
        until(lambda: is_gone(replica) and not folder.exists())


def test_a_port_that_others_share_is_taken(shared, tmp_path):
    publish(tmp_path / "m", 1)
    second = servers.Server.launch(
        tmp_path / "m", tmp_path, port=shared.port, flags=[PROCESSES], forked=True
    )
    code, said = second.wait_for_exit()
    assert code == 255
    assert f"cannot listen on {shared.target}" in said
