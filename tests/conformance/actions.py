"""What a case does besides calls: changes files and processes, waits, and looks."""

from __future__ import annotations

import base64
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

from conformance import exchange
from conformance.case import Step
from conformance.exchange import Seen
from conformance.folder import MODEL_CONFIG
from conformance.subject import PORTS, Subject
from support import servers
from tensorflow_serving.apis import predict_pb2

STATE_SECONDS, EXIT_SECONDS = 90.0, 180.0
"""At least, whatever a case says: what comes late on a busy machine is the same."""
LOOKING_SECONDS = 0.05
CALLING_SECONDS = 0.02
ABSENT = "ABSENT"
"""The state of a version that has no row in GetModelStatus."""
METRICS = "/monitoring/prometheus/metrics"
LOG_PREFIX = re.compile(
    r"^(\d{4}-\d\d-\d\d \S+: [A-Z] \S+\] |[A-Z]\d{4} \S+ +\d+ \S+\] "
    r"|\d{4}-\d\d-\d\d \S+ [A-Z] )"
)
"""Of TensorFlow's log, of absl's, and of the embedded server's."""


def during(seconds: float, pause: float = LOOKING_SECONDS) -> Iterator[None]:
    """Goes round for so long, and once at least."""
    deadline = time.monotonic() + seconds
    yield
    while time.monotonic() < deadline:
        time.sleep(pause)
        yield


def states(subject: Subject, step: Step) -> dict[str, str]:
    """Those of the versions that a step names."""
    found = subject.states(step["model"])
    return {version: found.get(version, ABSENT) for version in step["states"]}


def wait_state(subject: Subject, step: Step) -> Seen:
    """Waits until GetModelStatus tells these states."""
    found = {}
    for _ in during(max(step.get("timeout_s", 0), STATE_SECONDS)):
        found = states(subject, step)
        if found == step["states"]:
            break
    return {"states": found}


def hold_state(subject: Subject, step: Step) -> Seen:
    """The states, if they stay so; the first others otherwise."""
    found = {}
    for _ in during(step["for_s"]):
        found = states(subject, step)
        if found != step["states"]:
            break
    return {"states": found}


def predict_loop(subject: Subject, step: Step) -> Seen:
    """Asks again and again: each change of outcome in order, so a single failed call shows."""
    outcomes: list[list[str]] = []
    data = base64.b64decode(step["request_bytes_b64"])
    for _ in during(step["for_s"], CALLING_SECONDS):
        code, message, reply = subject.call(exchange.PREDICTION + "Predict", data, 20)
        version = predict_pb2.PredictResponse.FromString(reply).model_spec.version.value
        outcome = [code, str(version) if code == "OK" else subject.folder.blanked(message)]
        if outcomes[-1:] != [outcome]:
            outcomes.append(outcome)
    return {"outcomes": outcomes}


def expect_exit(subject: Subject, step: Step) -> Seen:
    """The exit code, the last line of the log without time and place, and the whole log."""
    try:
        code = subject.process.wait(max(step.get("timeout_s", 0), EXIT_SECONDS))
    except subprocess.TimeoutExpired:
        return {"exit_code": None, "last_line": "", "printed": ""}
    text = subject.folder.blanked(subject.log.read_text(errors="replace"))
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    return {"exit_code": code, "last_line": LOG_PREFIX.sub("", lines[-1]), "printed": text}


def expect_port(subject: Subject, step: Step) -> Seen:
    timeout = step.get("timeout_s", EXIT_SECONDS)
    return {"open": subject.wait_until_open(step.get("which", PORTS), timeout=timeout)}


def expect_no_port(subject: Subject, step: Step) -> Seen:
    """Whether the gRPC port opens within some time after all."""
    opened = False
    for _ in during(step["for_s"]):
        opened = subject.is_open("grpc")
        if opened:
            break
    return {"open": opened, "running": subject.process.poll() is None}


def metrics(subject: Subject, step: Step) -> Seen:
    """The exposition: every series but the buckets, their types, and values to compare."""
    seen = exchange.rest(subject, {"rest": "GET", "path": step.get("path", METRICS)})
    values, types = {}, {}
    for line in seen.pop("reply").splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:4]
            types[name] = kind
        elif line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            values[series] = value
    wanted = step.get("check_values", ())
    return {
        **seen,
        "types": types,
        "series": sorted(series for series in values if "_bucket{" not in series),
        "values": {series: values.get(series) for series in wanted},
    }


def restart(subject: Subject, step: Step) -> None:
    subject.stop()
    subject.launch()
    if step.get("wait", True):
        assert subject.wait_until_open(timeout=servers.SECONDS_TO_START), "no port after a restart"


DEEDS: dict[str, Callable[[Subject, Step], object]] = {
    "publish_version": lambda subject, step: subject.folder.publish(
        step["model_dir"], step["version"], step["from"]
    ),
    "remove_version": lambda subject, step: subject.folder.remove(
        step["model_dir"], step["version"]
    ),
    "make_dir": lambda subject, step: (subject.folder.path / step["path"]).mkdir(
        parents=True, exist_ok=True
    ),
    "move": lambda subject, step: subject.folder.move(step["from"], step["to"]),
    "copy_file": lambda subject, step: subject.folder.copy(step["from"], step["to"]),
    "write_file": lambda subject, step: subject.folder.write(step["path"], step["text"]),
    "symlink": lambda subject, step: subject.folder.link(step["path"], step["to"]),
    "write_model_config": lambda subject, step: subject.folder.write(MODEL_CONFIG, step["text"]),
    "sleep": lambda _, step: time.sleep(step["seconds"]),
    "signal": lambda subject, step: subject.signal(getattr(signal, step["signal"])),
    "restart": restart,
}
"""Actions that see nothing."""

LOOKS: dict[str, Callable[[Subject, Step], Seen]] = {
    "wait_state": wait_state,
    "hold_state": hold_state,
    "predict_loop": predict_loop,
    "expect_exit": expect_exit,
    "expect_port": expect_port,
    "expect_no_port": expect_no_port,
    "ports": lambda subject, _: {"ports": [subject.is_open(which) for which in PORTS]},
    "metrics": metrics,
}
"""Actions that give back what was seen."""


def act(subject: Subject, step: Step) -> Seen:
    """Carries one action out."""
    name = step["action"]
    if name in LOOKS:
        return LOOKS[name](subject, step)
    DEEDS[name](subject, step)
    return {}
