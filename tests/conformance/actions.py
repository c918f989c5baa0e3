"""Steps other than calls: change files and processes, wait, and observe."""

from __future__ import annotations

import base64
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

from conformance import exchange
from conformance.case import Step
from conformance.exchange import Observation
from conformance.folder import MODEL_CONFIG
from conformance.server_under_test import PORTS, ServerUnderTest
from support import servers
from tensorflow_serving.apis import predict_pb2

MIN_STATE_SECONDS, MIN_EXIT_SECONDS = 90.0, 180.0
"""Lower bounds of the recorded timeouts, because a busy machine reacts late."""
POLL_SECONDS = 0.05
CALL_INTERVAL_SECONDS = 0.02
ABSENT = "ABSENT"
"""The state of a version that GetModelStatus does not list."""
METRICS = "/monitoring/prometheus/metrics"
LOG_PREFIX = re.compile(
    r"^(\d{4}-\d\d-\d\d \S+: [A-Z] \S+\] |[A-Z]\d{4} \S+ +\d+ \S+\] "
    r"|\d{4}-\d\d-\d\d \S+ [A-Z] )"
)
"""The prefixes of TensorFlow's log, of absl's, and of the embedded server's."""


def poll(seconds: float, interval: float = POLL_SECONDS) -> Iterator[None]:
    """Yields at least once, and then at intervals until the time is over."""
    deadline = time.monotonic() + seconds
    yield
    while time.monotonic() < deadline:
        time.sleep(interval)
        yield


def states(server: ServerUnderTest, step: Step) -> dict[str, str]:
    """Returns the states of the versions that a step names."""
    current = server.states(step["model"])
    return {version: current.get(version, ABSENT) for version in step["states"]}


def wait_state(server: ServerUnderTest, step: Step) -> Observation:
    """Waits until GetModelStatus reports the recorded states; returns the last ones."""
    current = {}
    for _ in poll(max(step.get("timeout_s", 0), MIN_STATE_SECONDS)):
        current = states(server, step)
        if current == step["states"]:
            break
    return {"states": current}


def hold_state(server: ServerUnderTest, step: Step) -> Observation:
    """Returns the recorded states if they last for a time, else the first different ones."""
    current = {}
    for _ in poll(step["for_s"]):
        current = states(server, step)
        if current != step["states"]:
            break
    return {"states": current}


def predict_loop(server: ServerUnderTest, step: Step) -> Observation:
    """Calls Predict repeatedly; returns every change of outcome, so that no failure is missed."""
    outcomes: list[list[str]] = []
    data = base64.b64decode(step["request_bytes_b64"])
    for _ in poll(step["for_s"], CALL_INTERVAL_SECONDS):
        code, message, reply = server.call(exchange.PREDICTION + "Predict", data, 20)
        version = predict_pb2.PredictResponse.FromString(reply).model_spec.version.value
        outcome = [code, str(version) if code == "OK" else server.folder.mask_paths(message)]
        if outcomes[-1:] != [outcome]:
            outcomes.append(outcome)
    return {"outcomes": outcomes}


def expect_exit(server: ServerUnderTest, step: Step) -> Observation:
    """Returns the exit code, the last log line without its prefix, and the whole log."""
    try:
        code = server.process.wait(max(step.get("timeout_s", 0), MIN_EXIT_SECONDS))
    except subprocess.TimeoutExpired:
        return {"exit_code": None, "last_line": "", "printed": ""}
    text = server.folder.mask_paths(server.log.read_text(errors="replace"))
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    return {"exit_code": code, "last_line": LOG_PREFIX.sub("", lines[-1]), "printed": text}


def expect_port(server: ServerUnderTest, step: Step) -> Observation:
    timeout = step.get("timeout_s", MIN_EXIT_SECONDS)
    return {"open": server.wait_until_open(step.get("which", PORTS), timeout=timeout)}


def expect_no_port(server: ServerUnderTest, step: Step) -> Observation:
    """Returns whether the gRPC port opened within a time, and whether the process still runs."""
    is_open = False
    for _ in poll(step["for_s"]):
        is_open = server.is_open("grpc")
        if is_open:
            break
    return {"open": is_open, "running": server.process.poll() is None}


def metrics(server: ServerUnderTest, step: Step) -> Observation:
    """Returns the exposition: all series except buckets, their types, and selected values."""
    observation = exchange.rest(server, {"rest": "GET", "path": step.get("path", METRICS)})
    values, types = {}, {}
    for line in observation.pop("reply").splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:4]
            types[name] = kind
        elif line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            values[series] = value
    return {
        **observation,
        "types": types,
        "series": sorted(series for series in values if "_bucket{" not in series),
        "values": {series: values.get(series) for series in step.get("check_values", ())},
    }


def restart(server: ServerUnderTest, step: Step) -> None:
    server.stop()
    server.launch()
    if step.get("wait", True):
        assert server.wait_until_open(timeout=servers.SECONDS_TO_START), "no port after a restart"


ACTIONS: dict[str, Callable[[ServerUnderTest, Step], object]] = {
    "publish_version": lambda server, step: server.folder.publish(
        step["model_dir"], step["version"], step["from"]
    ),
    "remove_version": lambda server, step: server.folder.remove(step["model_dir"], step["version"]),
    "make_dir": lambda server, step: (server.folder.path / step["path"]).mkdir(
        parents=True, exist_ok=True
    ),
    "move": lambda server, step: server.folder.move(step["from"], step["to"]),
    "copy_file": lambda server, step: server.folder.copy(step["from"], step["to"]),
    "write_file": lambda server, step: server.folder.write(step["path"], step["text"]),
    "symlink": lambda server, step: server.folder.link(step["path"], step["to"]),
    "write_model_config": lambda server, step: server.folder.write(MODEL_CONFIG, step["text"]),
    "sleep": lambda _, step: time.sleep(step["seconds"]),
    "signal": lambda server, step: server.signal(getattr(signal, step["signal"])),
    "restart": restart,
}
"""Actions without an observation."""

OBSERVING_ACTIONS: dict[str, Callable[[ServerUnderTest, Step], Observation]] = {
    "wait_state": wait_state,
    "hold_state": hold_state,
    "predict_loop": predict_loop,
    "expect_exit": expect_exit,
    "expect_port": expect_port,
    "expect_no_port": expect_no_port,
    "ports": lambda server, _: {"ports": [server.is_open(which) for which in PORTS]},
    "metrics": metrics,
}


def run_action(server: ServerUnderTest, step: Step) -> Observation:
    """Carries out one action; returns what it observed, which may be nothing."""
    name = step["action"]
    if name in OBSERVING_ACTIONS:
        return OBSERVING_ACTIONS[name](server, step)
    ACTIONS[name](server, step)
    return {}
