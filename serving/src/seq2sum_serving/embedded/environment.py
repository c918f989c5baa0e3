"""The environment variables that must be set before the server's process starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from seq2sum_serving.embedded import memory

TUNABLES = "GLIBC_TUNABLES"
UTF8 = "PYTHONUTF8"


def restart_if_needed() -> None:
    """Executes this program again, in the same process, if it needs other environment variables.

    Call it in the main thread, before the program does anything else.
    """
    needed = required(os.environ, sys.getfilesystemencoding())
    if needed != dict(os.environ):
        os.environ.update(needed)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def required(environment: Mapping[str, str], encoding: str) -> dict[str, str]:
    """Returns the environment that the server needs.

    Args:
        environment: The current environment.
        encoding: The encoding with which Python decodes file names and arguments. In a C locale it
            may be ASCII, but TensorFlow takes paths and messages as UTF-8.
    """
    needed = dict(environment)
    tunables = memory.without_thread_caches(environment.get(TUNABLES, ""))
    if tunables:
        needed[TUNABLES] = tunables
    if encoding.lower() != "utf-8":
        needed[UTF8] = "1"
    return needed
