"""The machine and the server on which a benchmark measured its figures."""

from __future__ import annotations

import os
import platform
import re
import shlex
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from support import processes

CPUINFO = Path("/proc/cpuinfo")
VECTOR_FLAGS = re.compile(r"avx.*|fma|amx_.*|asimd.*|sve.*|bf16|i8mm")
"""Flags of instruction sets on which the time of a graph depends, on x86 and on arm64."""


def processor(cpuinfo: str | None = None) -> dict[str, Any]:
    """Returns the processor's name, and its instruction sets for vectors and matrices.

    Args:
        cpuinfo: Text of /proc/cpuinfo; None to read it.
    """
    values: dict[str, str] = {}
    for line in (CPUINFO.read_text() if cpuinfo is None else cpuinfo).splitlines():
        name, _, value = line.partition(":")
        values.setdefault(name.strip(), value.strip())
    flags = values.get("flags") or values.get("Features", "")
    return {
        "processor": values.get("model name", platform.machine()),
        "instruction_sets": [flag for flag in flags.split() if VECTOR_FLAGS.fullmatch(flag)],
    }


def machine(note: str | None = None) -> dict[str, Any]:
    """Describes the machine, the server, the date and the load average."""
    template = shlex.split(processes.TEMPLATE)
    server = "seq2sum-serve" if processes.TESTS_EMBEDDED_SERVER else Path(template[0]).name
    return {
        "cpus": os.cpu_count(),
        **processor(),
        "server": server,
        "tensorflow": version("tensorflow") if processes.TESTS_EMBEDDED_SERVER else None,
        "date": f"{datetime.now().astimezone():%Y-%m-%d}",
        "load_average_before": round(os.getloadavg()[0], 2),
    } | ({"note": note} if note else {})
