"""What a client package costs before it asks anything: to install, to import, to hold."""

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
"""What a program must import of each to make a call, by distribution."""
TIMES = 5


class Footprint(NamedTuple):
    """The cost of one package."""

    megabytes: float
    """On disk, with everything that it requires, in 10^6 bytes."""
    cpu_seconds: float
    """Of the import, above that of a bare interpreter; the least disturbed run of each."""
    resident: float
    """Memory after it, above a bare interpreter, in 10^6 bytes; the least as well."""


def footprint(package: str) -> Footprint:
    """Measures a package of `IMPORTS`."""
    runs = [(_run("pass"), _run(IMPORTS[package])) for _ in range(TIMES)]
    bare, full = zip(*runs, strict=True)
    cpu, memory = (min(run[i] for run in full) - min(run[i] for run in bare) for i in range(2))
    sizes = (_bytes(name) for name in closure(package))
    return Footprint(sum(sizes) / 1e6, cpu, memory)


def closure(package: str) -> set[str]:
    """The distributions that are installed because of this one, itself included."""
    found: set[str] = set()
    waiting = [package]
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            wanted = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # an optional one, for another system
        found.add(name)
        requirements = map(Requirement, wanted)
        waiting += [
            r.name for r in requirements if not r.marker or r.marker.evaluate({"extra": ""})
        ]
    return found


def _bytes(name: str) -> int:
    """What a distribution has on disk; of one that is installed in place, its package."""
    files = [Path(str(file.locate())) for file in distribution(name).files or []]
    if not any(file.suffix in (".py", ".so") for file in files):
        import seq2sum

        files = list(Path(seq2sum.__path__[0]).rglob("*"))
    return sum(file.stat().st_size for file in files if file.is_file())


def _run(code: str) -> tuple[float, float]:
    """CPU seconds, and megabytes resident at the end, of a fresh interpreter."""
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
