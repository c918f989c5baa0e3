"""The syntax of version numbers, as users write them and as names of directories."""

from __future__ import annotations

import re

VERSION = re.compile(r"[0-9]{1,40}")
"""A version as users write it; at most 40 digits, including leading zeros."""

VERSION_DIRECTORY = re.compile(r"\s*([+-]?)0*([0-9]{1,19})\s*", re.ASCII)
"""A version directory as servers recognise it, if its number fits int64."""

LARGEST_VERSION = 2**63 - 1
"""Versions are int64 on the wire."""


def version_number(name: str) -> int | None:
    """Returns the version number that a user wrote, or None if it is not one.

    A version number is ASCII digits that fit int64. For directory names, see `directory_version`.
    """
    if not VERSION.fullmatch(name):
        return None
    number = int(name)
    return number if number <= LARGEST_VERSION else None


def directory_version(name: str) -> int | None:
    """Returns the version number of a directory below a base path, or None if it has none.

    A server reads the whole name as an int64, as absl::SimpleAtoi does (ParseVersionNumber in
    tensorflow/serving's file_system_storage_path_source.cc): `00000123` is 123, `+3` is 3, ` 4` is
    4 and `-3` is -3; `1.tmp` and `v1` are not versions.
    """
    found = VERSION_DIRECTORY.fullmatch(name)
    if found is None:
        return None
    number = int("".join(found.groups()))
    return number if -LARGEST_VERSION - 1 <= number <= LARGEST_VERSION else None
