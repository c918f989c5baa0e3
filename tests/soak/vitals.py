"""What a server process holds of memory, threads and file handles, read from /proc."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PAGE = os.sysconf("SC_PAGE_SIZE")
MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at a process."""

    second: float
    """Since the soak began."""
    resident: float
    """MB of its own in memory. What is mapped from files is not in it: the system drops pages of
    libraries when it likes, and fetches them when they are needed again."""
    threads: int
    handles: int


def vitals(pid: int, second: float) -> Vitals:
    """Raises FileNotFoundError or ProcessLookupError when the process is gone."""
    process = Path(f"/proc/{pid}")
    _, resident, mapped, *_ = map(int, (process / "statm").read_text().split())
    return Vitals(
        second,
        (resident - mapped) * PAGE / MEGABYTE,
        sum(1 for _ in (process / "task").iterdir()),
        sum(1 for _ in (process / "fd").iterdir()),
    )


def floor(samples: Sequence[Vitals], *, seconds: float) -> list[Vitals]:
    """The look with the least memory of each span: what messages hold for a moment is not in it."""
    spans = itertools.groupby(samples, key=lambda sample: int(sample.second // seconds))
    return [min(span, key=lambda sample: sample.resident) for _, span in spans]


def slope(samples: Sequence[Vitals]) -> float:
    """MB of memory a minute, by least squares."""
    minutes = np.array([sample.second for sample in samples]) / 60
    resident = np.array([sample.resident for sample in samples])
    return float(np.polyfit(minutes, resident, 1)[0])
