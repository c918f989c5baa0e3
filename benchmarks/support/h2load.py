"""h2load, an HTTP/2 load generator in C++: it leaves the cores to the server.

Debian has it in the package `nghttp2-client`; `make setup-system` installs it.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
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


def check_installed() -> None:
    """Exits with advice if h2load is missing."""
    if shutil.which(PROGRAM) is None:
        raise SystemExit(f"{PROGRAM} is not installed: run make setup-system")


def framed(message: bytes) -> bytes:
    """Returns a gRPC data frame: a flag, the length as 32 bits, the message (gRPC over HTTP/2)."""
    return struct.pack(">BI", 0, len(message)) + message


def measure(port: int, message: bytes, *, callers: int, folder: Path) -> Throughput:
    """Sends the same Predict message from `callers` concurrent streams.

    Raises:
        ValueError: The output of h2load has no summary.
    """
    connections = min(CONNECTIONS, callers)
    body = folder / "request.bin"
    body.write_bytes(framed(message))
    printed = subprocess.run(
        [
            *(PROGRAM, f"--clients={connections}"),
            f"--max-concurrent-streams={callers // connections}",
            *(f"--duration={SECONDS}", f"--warm-up-time={WARM_UP_SECONDS}", f"--data={body}"),
            *(argument for header in HEADERS for argument in ("--header", header)),
            f"http://127.0.0.1:{port}{METHOD}",
        ],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return parse(printed)


def parse(printed: str) -> Throughput:
    """Reads h2load's summary."""
    rate = re.search(r"^finished in .*, ([\d.]+) req/s", printed, re.MULTILINE)
    failed = re.search(
        r"^requests: .* (\d+) failed, (\d+) errored, (\d+) timeout", printed, re.MULTILINE
    )
    if not rate or not failed:
        raise ValueError(f"unexpected output of {PROGRAM}:\n{printed}")
    return Throughput(float(rate[1]), sum(map(int, failed.groups())))
