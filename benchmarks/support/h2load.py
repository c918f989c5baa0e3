"""h2load, an HTTP load generator in C++: it leaves the cores to the server.

Debian has it in the package `nghttp2-client`; `make setup-system` installs it.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.load.requests import METHOD

PROGRAM = "h2load"
SECONDS = 4
WARM_UP_SECONDS = 1
CONNECTIONS = 4
HEADERS = ("content-type: application/grpc", "te: trailers")


class Throughput(NamedTuple):
    """The measurements of one run of h2load."""

    calls_per_second: float
    failed: int
    calls: int = 0
    """All calls of the run. Those of the warm-up, which h2load does not log, are estimated."""
    p50_seconds: float = 0.0
    """Median latency of a call."""
    p99_seconds: float = 0.0


def check_installed() -> None:
    """Exits with advice if h2load is missing."""
    if shutil.which(PROGRAM) is None:
        raise SystemExit(f"{PROGRAM} is not installed: run make setup-system")


def framed(message: bytes) -> bytes:
    """Returns a gRPC data frame: a flag, the length as 32 bits, the message (gRPC over HTTP/2)."""
    return struct.pack(">BI", 0, len(message)) + message


def measure(
    port: int, message: bytes, *, callers: int, folder: Path, seconds: float = SECONDS
) -> Throughput:
    """Sends the same Predict message from `callers` concurrent streams for some seconds.

    Raises:
        ValueError: The output of h2load has no summary, or no call ended.
    """
    connections = min(CONNECTIONS, callers)
    options = [
        f"--clients={connections}",
        f"--max-concurrent-streams={callers // connections}",
        *(f"--header={header}" for header in HEADERS),
    ]
    return _run(f"http://127.0.0.1:{port}{METHOD}", framed(message), options, folder, seconds)


def measure_rest(
    port: int, path: str, body: bytes, *, callers: int, folder: Path, seconds: float = SECONDS
) -> Throughput:
    """Posts the same body over `callers` connections of HTTP/1.1 for some seconds.

    Raises:
        ValueError: The output of h2load has no summary.
    """
    options = ["--h1", f"--clients={callers}", "--header=content-type: application/json"]
    return _run(f"http://127.0.0.1:{port}{path}", body, options, folder, seconds)


def _run(url: str, body: bytes, options: Sequence[str], folder: Path, seconds: float) -> Throughput:
    file, latencies = folder / "request.bin", folder / "latencies.log"
    latencies.unlink(missing_ok=True)  # h2load appends
    file.write_bytes(body)
    printed = subprocess.run(
        [
            *(PROGRAM, f"--duration={round(1000 * seconds)}ms"),
            *(f"--warm-up-time={WARM_UP_SECONDS}", f"--data={file}", f"--log-file={latencies}"),
            *(*options, url),
        ],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    rate, failed = parse(printed)
    # Start in microseconds, HTTP status, latency in microseconds.
    micros = sorted(int(line.split("\t")[2]) for line in latencies.read_text().splitlines())
    if not micros:
        raise ValueError(f"no call ended within {seconds} seconds: try a longer time")
    p50, p99 = (micros[int(share * (len(micros) - 1))] / 1e6 for share in (0.5, 0.99))
    calls = round(len(micros) * (seconds + WARM_UP_SECONDS) / seconds)
    return Throughput(rate, failed, calls, p50, p99)


def parse(printed: str) -> tuple[float, int]:
    """Returns the calls per second and the number of failed calls in h2load's summary."""
    rate = re.search(r"^finished in .*, ([\d.]+) req/s", printed, re.MULTILINE)
    failed = re.search(
        r"^requests: .* (\d+) failed, (\d+) errored, (\d+) timeout", printed, re.MULTILINE
    )
    if not rate or not failed:
        raise ValueError(f"unexpected output of {PROGRAM}:\n{printed}")
    return float(rate[1]), sum(map(int, failed.groups()))
