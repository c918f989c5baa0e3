"""Stops servers under load, again and again: `make bench-stops`.

Every client has the addresses of two servers, which are stopped with SIGTERM and restarted in
turn. No call may fail: a stopping server completes the calls in progress, and refuses others with
UNAVAILABLE, which clients retry on the other server. Callers without retries may see UNAVAILABLE,
but no other error.
"""

from __future__ import annotations

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
import seq2sum
from support import processes
from support.servers import Server
from tensorflow_serving.apis import predict_pb2

from benchmarks.load.requests import METHOD
from benchmarks.support.output import (
    ROOT,
    argument_parser,
    examples,
    exit_code,
    log,
    write_json,
)

MODEL = ROOT / "tests" / "conformance" / "fixture"
CONFIG = (
    f'model_config_list {{ config {{ name: "seq2sum" base_path: "{MODEL}" '
    'model_platform: "tensorflow" model_version_policy { specific { versions: 1 } } } }'
)
SLOW_STEPS = 1000
"""Input of the signature `slow` for which a call takes at least 0.1 seconds."""
TIMEOUT = 30.0
ROUND_ROBIN_CLIENTS = 3
"""Clients with a connection to each server; they must reconnect before the other server stops."""
RECONNECT_TIMEOUT = 60
PAUSE = 0.3
"""Seconds from the reconnect to the next stop."""
TCP = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
"""gRPC uses IPv6 sockets for IPv4 addresses too."""
ESTABLISHED = "01"
OPTIONS = [
    # The default, a list of addresses, is not accepted by the native server (docs/server.md).
    ("grpc.default_authority", "localhost"),
    ("grpc.use_local_subchannel_pool", 1),  # by default, channels share connections
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
"""The retry policy in gRPC's documentation, for every method."""

Call = Callable[[], object]


@dataclass(slots=True)
class Load:
    """Callers of one kind, and the outcomes of their calls."""

    name: str
    callers: int
    allowed: tuple[str, ...] = (OK,)
    """Status codes that do not count as failures."""
    codes: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    """Duration of the longest call in seconds."""
    examples: list[str] = field(default_factory=list)
    """Details of the first failed calls."""

    @property
    def failed(self) -> int:
        """Calls that ended with a code that is not allowed."""
        return sum(count for code, count in self.codes.items() if code not in self.allowed)

    def run(self, call: Call, done: threading.Event) -> None:
        """Calls without a pause until `done` is set."""
        while not done.is_set():
            start, code = time.monotonic(), OK
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
            self.longest = max(self.longest, time.monotonic() - start)

    def _keep(self, code: str, details: str) -> None:
        if code not in self.allowed and len(self.examples) < 5:
            self.examples.append(f"{code}: {details}")

    @property
    def summary(self) -> str:
        """The number of failed calls in a sentence, with examples."""
        count = f"{self.failed} of {self.codes.total():,} calls failed"
        return f"{self.name}: {count}{examples(self.examples)}"

    def to_json(self) -> dict[str, object]:
        """Returns the outcomes as JSON values."""
        return {
            "client": self.name,
            "callers": self.callers,
            "calls": self.codes.total(),
            "codes": dict(sorted(self.codes.items())),
            "failed": self.failed,
            "examples": self.examples,
            "longest_milliseconds": round(self.longest * 1000),
        }


def main() -> int:
    """Runs the benchmark; returns the exit code."""
    parser = argument_parser(__doc__, runs=None)
    parser.add_argument("--stops", type=int, default=50)
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="stops-") as folder:
            loads, exits = run(Path(folder), options.stops)
    finally:
        processes.close()
    checks = [(set(exits) == {0}, f"{len(exits)} stops, exit codes {sorted(set(exits))}")]
    checks += [(not load.failed, load.summary) for load in loads]
    write_json(
        options.out / "stops.json",
        {
            "command": "make bench-stops",
            "stops": len(exits),
            "exit_codes": sorted(set(exits)),
            "passed": all(ok for ok, _ in checks),
            "clients": [load.to_json() for load in loads],
        },
    )
    return exit_code(checks)


def run(folder: Path, stops: int) -> tuple[list[Load], list[int]]:
    """Stops servers under load; returns the callers' outcomes and the servers' exit codes."""
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
                time.sleep(PAUSE)
                stopped = servers[number % 2]
                stopped.process.send_signal(signal.SIGTERM)
                exits.append(stopped.process.wait(60))
                servers[number % 2] = start(stopped.port).wait_until_open()
                failed = sum(load.failed for load in loads)
                calls = sum(load.codes.total() for load in loads)
                log(f"{number + 1} stops, {failed} of {calls:,} calls failed")
    finally:
        for server in servers:
            server.stop()
    return loads, exits


def wait_for_clients(port: int) -> None:
    """Waits until the clients have reconnected to a restarted server."""
    deadline = time.monotonic() + RECONNECT_TIMEOUT
    while connections(port) < ROUND_ROBIN_CLIENTS:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the clients did not reconnect to port {port}")
        time.sleep(0.05)


def connections(port: int) -> int:
    """Returns the number of open connections to a local port."""
    rows = [line.split() for table in TCP for line in table.read_text().splitlines()[1:]]
    return sum(row[3] == ESTABLISHED and int(row[1].split(":")[1], 16) == port for row in rows)


@contextmanager
def loaded(targets: list[str]) -> Iterator[list[Load]]:
    """Runs callers of every kind until the `with` block ends."""
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
            calls.append(_raw(channel.unary_unary(METHOD), request))
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
