"""Servers stopped under load, again and again: `make bench-stops`.

Two servers are in the list of every client, and one of the two is stopped with SIGTERM and
started again in turn. No call may fail: what a stopping server has begun it answers, and what it
refuses ends with UNAVAILABLE, on which clients try the other one. Callers without retries show
that, too: UNAVAILABLE is the only error that they may see.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
import processes
import seq2sum
import trials
from servers import Server
from tensorflow_serving.apis import predict_pb2

MODEL = Path(__file__).parents[1] / "conformance" / "fixture"
CONFIG = (
    f'model_config_list {{ config {{ name: "seq2sum" base_path: "{MODEL}" '
    'model_platform: "tensorflow" model_version_policy { specific { versions: 1 } } } }'
)
PREDICT = "/tensorflow.serving.PredictionService/Predict"
SLOW_STEPS = 1000
"""Of the signature `slow`: a tenth of a second and more."""
TIMEOUT = 30.0
ROUND_ROBIN_CLIENTS = 3
"""They hold a connection to each server, and have to be back before the other server stops."""
SECONDS_TO_RETURN = 60
SECONDS_BETWEEN = 0.3
"""From their return to the stop."""
TCP = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
"""gRPC's sockets are of IPv6, for IPv4 addresses too."""
ESTABLISHED = "01"
OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),  # else channels of one process share connections
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.min_reconnect_backoff_ms", 250),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
OK, UNAVAILABLE = "OK", "UNAVAILABLE"
RETRYING = {
    "name": [{}],
    "retryPolicy": {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": [UNAVAILABLE],
    },
}
"""The retry policy of gRPC's own documentation, for every method."""

Call = Callable[[], object]


@dataclass(slots=True)
class Load:
    """Callers of one kind, and what came of their calls."""

    name: str
    callers: int
    allowed: tuple[str, ...] = (OK,)
    """Codes that their calls may end with."""
    codes: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    """Seconds."""
    examples: list[str] = field(default_factory=list)
    """Details of calls that failed and may not."""

    @property
    def wrong(self) -> int:
        """Calls that ended with a code that is not allowed."""
        return sum(count for code, count in self.codes.items() if code not in self.allowed)

    def run(self, call: Call, done: threading.Event) -> None:
        """Calls without pause until the end."""
        while not done.is_set():
            begin, code = time.monotonic(), OK
            try:
                call()
            except grpc.RpcError as error:
                code = error.code().name
                self._keep(code, error.details())
            except seq2sum.Seq2SumError as error:
                cause: Any = error.__cause__
                code = cause.code().name if isinstance(cause, grpc.RpcError) else "UNKNOWN"
                self._keep(code, str(error))
            self.codes[code] += 1
            self.longest = max(self.longest, time.monotonic() - begin)

    def _keep(self, code: str, details: str) -> None:
        if code not in self.allowed and len(self.examples) < 5:
            self.examples.append(f"{code}: {details}")

    def row(self) -> dict[str, object]:
        """What is stored."""
        return {
            "client": self.name,
            "callers": self.callers,
            "calls": self.codes.total(),
            "codes": dict(sorted(self.codes.items())),
            "not_allowed": self.wrong,
            "examples": self.examples,
            "longest_milliseconds": round(self.longest * 1000),
        }


def main() -> int:
    """Runs the benchmark; returns the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--stops", type=int, default=50)
    options.add_argument("--out", type=Path, default=Path("docs"))
    chosen = options.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="stops-") as folder:
            loads, exits = run(Path(folder), chosen.stops)
    finally:
        processes.close()
    good = not any(load.wrong for load in loads) and set(exits) == {0}
    trials.write(
        chosen.out / "stops.json",
        {
            "command": "make bench-stops",
            "stops": len(exits),
            "exit_codes": sorted(set(exits)),
            "passed": good,
            "clients": [load.row() for load in loads],
        },
    )
    for load in loads:
        print("fine  " if not load.wrong else "WRONG ", load.row())
    return 0 if good else 1


def run(folder: Path, stops: int) -> tuple[list[Load], list[int]]:
    """Stops servers under load; returns what the callers saw, and the servers' exit codes."""
    config = folder / "models.config"
    config.write_text(CONFIG)

    def start(port: int | None = None) -> Server:
        return Server.launch(None, folder, config=config, port=port, forked=True)

    servers, exits = [start(), start()], []
    try:
        for server in servers:
            server.wait_until_open()
        with loaded([server.target for server in servers]) as loads:
            for number in range(stops):
                for server in servers:
                    wait_for_clients(server.port)
                time.sleep(SECONDS_BETWEEN)
                stopped = servers[number % 2]
                stopped.process.send_signal(signal.SIGTERM)
                exits.append(stopped.process.wait(60))
                servers[number % 2] = start(stopped.port).wait_until_open()
                failed = sum(load.wrong for load in loads)
                calls = sum(load.codes.total() for load in loads)
                print(f"{number + 1} stops, {failed} of {calls:,} calls failed", file=sys.stderr)
    finally:
        for server in servers:
            server.stop()
    return loads, exits


def wait_for_clients(port: int) -> None:
    """Waits until the clients have connected again to a server that was restarted."""
    deadline = time.monotonic() + SECONDS_TO_RETURN
    while connections(port) < ROUND_ROBIN_CLIENTS:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the clients do not connect to port {port} again")
        time.sleep(0.05)


def connections(port: int) -> int:
    """The number of open connections to a local port."""
    rows = [line.split() for table in TCP for line in table.read_text().splitlines()[1:]]
    return sum(row[3] == ESTABLISHED and int(row[1].split(":")[1], 16) == port for row in rows)


@contextmanager
def loaded(targets: list[str]) -> Iterator[list[Load]]:
    """Callers of every kind, until the end of the block."""
    done = threading.Event()
    loads = [
        Load("the SDK", 3),
        Load("gRPC with a retry policy, pick_first", 2),
        Load("gRPC with a retry policy, round_robin", 2),
        Load("gRPC with a retry policy, slow calls", 1),
        Load("gRPC without retries", 1, allowed=(OK, UNAVAILABLE)),
    ]
    with ExitStack() as stack:
        client = stack.enter_context(seq2sum.Client(targets, timeout=TIMEOUT))
        calls: list[Call] = [lambda: client.add("3+4")]
        for policy, methods, request in (
            ("pick_first", [RETRYING], _request("3+4")),
            ("round_robin", [RETRYING], _request("3+4")),
            ("round_robin", [RETRYING], _slow_request()),
            ("pick_first", [], _request("3+4")),
        ):
            config = {"loadBalancingConfig": [{policy: {}}], "methodConfig": methods}
            channel = stack.enter_context(
                grpc.insecure_channel(
                    "ipv4:" + ",".join(targets),
                    [("grpc.service_config", json.dumps(config)), *OPTIONS],
                )
            )
            calls.append(_raw(channel.unary_unary(PREDICT), request))
        threads = [
            threading.Thread(target=load.run, args=(call, done))
            for load, call in zip(loads, calls, strict=True)
            for _ in range(load.callers)
        ]
        for thread in threads:
            thread.start()
        try:
            yield loads
        finally:
            done.set()
            for thread in threads:
                thread.join()


def _raw(call: Any, request: bytes) -> Call:
    return lambda: call(request, timeout=TIMEOUT)


def _request(question: str) -> bytes:
    request = predict_pb2.PredictRequest(model_spec={"name": "seq2sum"})
    tensor = request.inputs["questions"]
    tensor.dtype, tensor.string_val[:] = 7, [question.encode()]
    tensor.tensor_shape.dim.add(size=1)
    return request.SerializeToString()


def _slow_request() -> bytes:
    request = predict_pb2.PredictRequest(model_spec={"name": "seq2sum", "signature_name": "slow"})
    tensor = request.inputs["steps"]
    tensor.dtype, tensor.int_val[:] = 3, [SLOW_STEPS]
    tensor.tensor_shape.dim.add(size=1)
    return request.SerializeToString()


if __name__ == "__main__":
    sys.exit(main())
