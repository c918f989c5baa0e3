"""Settings of the C library, of threads and of the garbage collector, for bounded memory use.

See "Memory of the embedded server" in docs/design-notes.md for what happens without them.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MMAP_THRESHOLD, ARENA_MAX = -3, -8
"""M_MMAP_THRESHOLD and M_ARENA_MAX of glibc's malloc.h."""

LARGE_BYTES = 1 << 20
"""Buffers of this size or larger are mapped, and unmapped when they are freed."""
ARENAS = max(4, os.cpu_count() or 1)
"""At least one for each core: without thread caches, every allocation locks an arena."""

STACK_BYTES = 8 << 20
"""Of each Python thread. `ulimit -s`, which is the default, may be less than what Python's JSON
parser needs: since Python 3.12 it recurses up to 10,000 levels deep, whatever the recursion limit
is."""

THREAD_CACHE = "glibc.malloc.tcache_count"
"""The tunable for the number of freed pieces of each size that a thread caches."""


def without_thread_caches(tunables: str) -> str:
    """Returns GLIBC_TUNABLES with thread caches turned off, unless it sets them already."""
    if not _c_function("mallopt"):
        return tunables
    settings = [setting for setting in tunables.split(":") if setting]
    if any(setting.split("=")[0] == THREAD_CACHE for setting in settings):
        return tunables
    return ":".join([*settings, f"{THREAD_CACHE}=0"])


def configure_malloc() -> None:
    """Sets the limits of malloc for this process; without effect where glibc is not used."""
    mallopt = _c_function("mallopt")
    if mallopt:
        mallopt(MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(ARENA_MAX, ARENAS)


def configure_stacks() -> None:
    """Sets the stack size of threads that are created from now on."""
    threading.stack_size(STACK_BYTES)


def trim() -> None:
    """Returns free memory to the system; takes milliseconds, for use after an unload."""
    malloc_trim = _c_function("malloc_trim")
    if malloc_trim:
        malloc_trim(0)


@contextmanager
def collections_paused() -> Iterator[None]:
    """Runs no garbage collection inside: imports create many objects, and hardly any garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def freeze_objects() -> None:
    """Excludes all existing objects from garbage collection.

    Runs no collection first: that would take as long as a later one, and free too little.
    """
    gc.freeze()


def _c_function(name: str) -> Any:
    """Returns a function of the C library, or None."""
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), name, None)
