"""Measures the cost of a client package before its first call: disk, import time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

IMPORTS = {
    "seq2sum": "import seq2sum",
    "tensorflow-serving-api": (
        "from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc"
    ),
}
"""The import that a program needs to make a call, by distribution."""
RUNS = 5


class Footprint(NamedTuple):
    """The cost of one package."""

    megabytes: float
    """Installed size with all dependencies, in 10^6 bytes."""
    cpu_seconds: float
    """CPU time of the import, minus that of a bare interpreter; the minima over the runs."""
    resident: float
    """Memory after the import, minus that of a bare interpreter, in 10^6 bytes; also minima."""


def footprint(package: str) -> Footprint:
    """Measures a package of `IMPORTS`."""
    runs = [(_run("pass"), _run(IMPORTS[package])) for _ in range(RUNS)]
    bare, full = zip(*runs, strict=True)
    cpu, memory = (min(run[i] for run in full) - min(run[i] for run in bare) for i in range(2))
    sizes = (_bytes(name) for name in closure(package))
    return Footprint(sum(sizes) / 1e6, cpu, memory)


def closure(package: str) -> set[str]:
    """Returns this distribution and all that it requires, directly or not."""
    found: set[str] = set()
    pending = [package]
    while pending:
        name = pending.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            required = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # not installed: for another platform
        found.add(name)
        requirements = map(Requirement, required)
        pending += [
            r.name for r in requirements if not r.marker or r.marker.evaluate({"extra": ""})
        ]
    return found


def _bytes(name: str) -> int:
    """Returns the size of a distribution on disk; if it is editable, that of its package."""
    files = [Path(str(file.locate())) for file in distribution(name).files or []]
    if not any(file.suffix in (".py", ".so") for file in files):
        import seq2sum

        files = list(Path(seq2sum.__path__[0]).rglob("*"))
    return sum(file.stat().st_size for file in files if file.is_file())


def _run(code: str) -> tuple[float, float]:
    """Runs code in a fresh interpreter; returns its CPU seconds and resident megabytes."""
    report = "; print(open('/proc/self/status').read().split('VmRSS:')[1].split()[0])"
    process = subprocess.Popen(
        [sys.executable, "-c", code + report],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as output:
        kilobytes = int(output.read().split()[-1])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime, kilobytes * 1024 / 1e6
