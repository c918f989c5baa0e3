"""The machine and the server on which a benchmark measured its figures."""

from __future__ import annotations

import os
import platform
import shlex
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from support import processes


def machine(note: str | None = None) -> dict[str, Any]:
    """Describes the machine, the server, the date and the load average."""
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    template = shlex.split(processes.TEMPLATE)
    server = "seq2sum-serve" if processes.TESTS_EMBEDDED_SERVER else Path(template[0]).name
    return {
        "cpus": os.cpu_count(),
        "processor": processor,
        "server": server,
        "tensorflow": version("tensorflow") if processes.TESTS_EMBEDDED_SERVER else None,
        "date": f"{datetime.now().astimezone():%Y-%m-%d}",
        "load_average_before": round(os.getloadavg()[0], 2),
    } | ({"note": note} if note else {})
