"""CPU time, memory, threads and file descriptors of a process, read from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class ProcessStats:
    """One sample of a process."""

    second: float
    """Seconds since sampling started."""
    resident: float
    """MB of anonymous memory. File-mapped pages are left out: the kernel drops pages of libraries
    at any time and reads them again when needed."""
    threads: int
    file_descriptors: int


def process_stats(pid: int, second: float = 0.0) -> ProcessStats:
    """Samples a process.

    Raises:
        FileNotFoundError, ProcessLookupError: The process has ended.
    """
    process = Path(f"/proc/{pid}")
    resident, mapped = memory_megabytes(pid)
    return ProcessStats(
        second,
        resident - mapped,
        sum(1 for _ in (process / "task").iterdir()),
        sum(1 for _ in (process / "fd").iterdir()),
    )


def memory_megabytes(pid: int) -> tuple[float, float]:
    """Returns resident memory, and the part of it that is mapped from files."""
    _, resident, mapped, *_ = map(int, Path(f"/proc/{pid}/statm").read_text().split())
    return resident * PAGE / MEGABYTE, mapped * PAGE / MEGABYTE


def peak_megabytes(pid: int) -> float:
    """Returns peak resident memory since start or `reset_peak` (proc(5): VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def reset_peak(pid: int) -> None:
    """Sets the peak to the current resident memory (proc(5): 5 into clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def cpu_seconds(pid: int) -> float:
    """Returns the CPU time used so far (proc(5): fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
