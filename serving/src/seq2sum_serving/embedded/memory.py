"""Memory that is given back: what the C library and Python's collector keep for too long.

glibc raises the size from which buffers are mapped on their own to that of the largest one seen,
and keeps an arena for every few threads. A server whose threads parse a message of many megabytes
now and then holds such a piece in each arena for ever. Both limits are fixed here.

It also keeps what was freed in a cache of the thread that freed it, where it joins no neighbour.
TensorFlow wants its tensors aligned: of the memory found for one a sliver in front is left over
and goes there, so that the hole which the tensor leaves is too small, by this sliver, for the next
one. As long as runs free all that they took, a few holes do for all of them. But of each run that
fails or runs out of time TensorFlow keeps 0.7 kB for ever, in ten pieces (`LocalRendezvous`: "we
deliberately leak one reference"); they fill the slivers, and the holes behind them are lost. With
tensors of 100 kB, one caller and runs that time out that was 95 kB a run, without an end (151 MB in
1,600); without the cache it is 0.5 kB, and calls are as quick. To map such tensors on their own
would do as well, at 20 % of the CPU time of large batches; TensorFlow's own allocator never gives
back what it had once. Nothing but the environment that a process begins with turns the cache off.

Python's collector goes through all objects now and then, and every call waits meanwhile. TensorFlow
brings three hundred thousand that never go (measured: 0.8 seconds a time); so what is there when
the server has loaded is left out of it.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from typing import Any

MMAP_THRESHOLD, ARENA_MAX = -3, -8
"""M_MMAP_THRESHOLD and M_ARENA_MAX of glibc's malloc.h."""

LARGE_BYTES = 1 << 20
"""Buffers from here on are mapped, and unmapped when they are freed."""
ARENAS = max(4, os.cpu_count() or 1)
"""Without caches each piece takes the lock of an arena; there is one for each core at least."""

CACHE = "glibc.malloc.tcache_count"
"""How many pieces of each size a thread keeps aside."""


def without_caches(tunables: str) -> str:
    """GLIBC_TUNABLES with no pieces aside, or as they are if they say how many."""
    if not _function("mallopt"):
        return tunables
    given = [setting for setting in tunables.split(":") if setting]
    if any(setting.split("=")[0] == CACHE for setting in given):
        return tunables
    return ":".join([*given, f"{CACHE}=0"])


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
