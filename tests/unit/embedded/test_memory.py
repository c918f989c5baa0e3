"""What the C library is told about memory."""

from __future__ import annotations

from pathlib import Path

from seq2sum_serving.embedded import memory


def test_large_buffers_go_back_to_the_system_when_they_are_freed():
    memory.limit()
    held = [b"x" * (memory.LARGE_BYTES * 2) for _ in range(100)]
    full = resident()
    del held
    memory.trim()
    assert full - resident() > 150


def resident():
    """MB of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
