"""The environment that a process has to be started with, as nothing else sets it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from seq2sum_serving.embedded import memory

TUNABLES = "GLIBC_TUNABLES"
UTF8 = "PYTHONUTF8"


def restart_if_needed() -> None:
    """Starts this program again, as the same process, if it needs another environment.

    For the main thread of a program that has done nothing yet. Processes that it starts inherit
    the environment.
    """
    needed = wanted(os.environ, sys.getfilesystemencoding())
    if needed != dict(os.environ):
        os.environ.update(needed)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def wanted(environment: Mapping[str, str], encoding: str) -> dict[str, str]:
    """The environment that the server needs.

    Args:
        environment: The one that there is.
        encoding: How Python decodes file names and arguments with it. In a C locale that may be
            ASCII, and neither a path of a model nor a message could have another letter;
            TensorFlow takes all of them as UTF-8.
    """
    needed = dict(environment)
    tunables = memory.without_caches(environment.get(TUNABLES, ""))
    if tunables:
        needed[TUNABLES] = tunables
    if encoding.lower() != "utf-8":
        needed[UTF8] = "1"
    return needed
