"""Memory that is given back: what the C library and Python's collector keep for too long.

glibc raises the size from which buffers are mapped on their own to that of the largest one seen,
and keeps an arena for every few threads. A server whose threads parse a message of many megabytes
now and then holds such a piece in each arena for ever. Both limits are fixed here.

Python's collector goes through all objects now and then, and every call waits meanwhile. TensorFlow
brings three hundred thousand that never go (measured: 0.8 seconds a time); so what is there when
the server has loaded is left out of it.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Any

MMAP_THRESHOLD, ARENA_MAX = -3, -8
"""M_MMAP_THRESHOLD and M_ARENA_MAX of glibc's malloc.h."""

LARGE_BYTES = 1 << 20
"""Buffers from here on are mapped, and unmapped when they are freed."""
ARENAS = 4


def limit() -> None:
    """Sets the limits, for the whole process; without effect where there is no glibc."""
    mallopt = _function("mallopt")
    if mallopt:
        mallopt(MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(ARENA_MAX, ARENAS)


def trim() -> None:
    """Gives what is free to the system; worth its milliseconds when a version is gone."""
    malloc_trim = _function("malloc_trim")
    if malloc_trim:
        malloc_trim(0)


def settle() -> None:
    """Takes what is there now for permanent: the collector looks at what is newer.

    It does not collect before: that takes as long, and what is found is not worth it.
    """
    gc.freeze()


def _function(name: str) -> Any:
    """A function of the C library, or None."""
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), name, None)
