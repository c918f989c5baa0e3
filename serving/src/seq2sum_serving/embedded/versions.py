"""Version numbers of directory entries, and which of them a policy aspires. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

LARGEST_VERSION = 2**63 - 1
NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Latest:
    """The policy that aspires the versions with the largest numbers."""

    num_versions: int = 1
    """How many of them."""


def version_number(name: str) -> int | None:
    """The version that a child of a base path stands for, or None.

    The whole name must be a number that fits int64; `00000123` is 123, and 0 is a version.
    Anything else (`1.tmp`, `v2`, `.publishing-2`) is not looked at, so that versions can be
    prepared beside and published by a rename.
    """
    if not NUMBER.fullmatch(name):
        return None
    number = int(name)
    return number if number <= LARGEST_VERSION else None


def aspired(names: Iterable[str], policy: Latest) -> dict[int, str]:
    """The aspired versions among the children of a base path, with their names."""
    found: dict[int, str] = {}
    for name in sorted(names):  # of two spellings of one number the last one counts
        number = version_number(name)
        if number is not None:
            found[number] = name
    newest = sorted(found, reverse=True)[: max(1, policy.num_versions)]
    return {number: found[number] for number in newest}
