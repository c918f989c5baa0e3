"""Version numbers of directory entries, and which of them a policy aspires. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seq2sum.contract import version_number


@dataclass(frozen=True, slots=True)
class Latest:
    """The policy that aspires the versions with the largest numbers."""

    num_versions: int = 1
    """How many of them."""


def aspired(names: Iterable[str], policy: Latest) -> dict[int, str]:
    """The aspired versions among the children of a base path, with their names.

    Children that are no versions (`1.tmp`, `v2`, `.publishing-2`) are not looked at, so that a
    version can be prepared beside and published by a rename.
    """
    found: dict[int, str] = {}
    for name in sorted(names):  # of two spellings of one number the last one counts
        number = version_number(name)
        if number is not None:
            found[number] = name
    newest = sorted(found, reverse=True)[: max(1, policy.num_versions)]
    return {number: found[number] for number in newest}
