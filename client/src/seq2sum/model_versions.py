"""Model versions: the numbers that users and directory names stand for."""

from __future__ import annotations

import re

VERSION = re.compile(r"[0-9]{1,40}")
"""What a version may look like; no longer than leading zeros make sense."""

VERSION_DIRECTORY = re.compile(r"\s*([+-]?)0*([0-9]{1,19})\s*", re.ASCII)
"""What a server takes for a version below a base path, as long as it fits int64."""

LARGEST_VERSION = 2**63 - 1
"""Versions are int64 on the wire."""


def version_number(name: str) -> int | None:
    """Returns the model version that a user names by this text, or None.

    The whole text must be ASCII digits of a number that fits int64. `directory_version` reads
    the names of directories.
    """
    if not VERSION.fullmatch(name):
        return None
    number = int(name)
    return number if number <= LARGEST_VERSION else None


def directory_version(name: str) -> int | None:
    """Returns the model version that a child of a base path stands for, or None.

    A server reads the whole name as an int64, as absl::SimpleAtoi does (ParseVersionNumber in
    tensorflow/serving's file_system_storage_path_source.cc): `00000123` is 123, `+3` is 3, ` 4` is
    4 and `-3` is -3; `1.tmp` and `v1` are not versions.
    """
    found = VERSION_DIRECTORY.fullmatch(name)
    if found is None:
        return None
    number = int("".join(found.groups()))
    return number if -LARGEST_VERSION - 1 <= number <= LARGEST_VERSION else None
