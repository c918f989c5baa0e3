"""Version numbers of directory entries, and which of them a policy aspires. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

NUMBER = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)
"""What TensorFlow Serving reads as a number: the whole name, so neither `1.tmp` nor `v1`."""
SMALLEST, LARGEST = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Latest:
    """The policy that aspires the versions with the largest numbers."""

    num_versions: int = 1
    """How many of them; 0 means 1, as there."""


@dataclass(frozen=True, slots=True)
class All:
    """The policy that aspires every version."""


@dataclass(frozen=True, slots=True)
class Specific:
    """The policy that aspires the versions it names, as far as they are there."""

    versions: frozenset[int]
    """Their numbers; none at all means that nothing is aspired."""


VersionPolicy = Latest | All | Specific


def version_number(name: str) -> int | None:
    """The version that a directory entry stands for, or None; `00000123` is version 123."""
    if not NUMBER.fullmatch(name):
        return None
    number = int(name)
    return number if SMALLEST <= number <= LARGEST else None


def aspired(names: Iterable[str], policy: VersionPolicy) -> dict[int, str]:
    """The aspired versions among the children of a base path, with their names.

    Children that are no versions (`1.tmp`, `v2`, `.publishing-2`) are not looked at, so that a
    version can be prepared beside and published by a rename.
    """
    found: dict[int, str] = {}
    for name in sorted(names):  # of two spellings of one number the last one counts
        number = version_number(name)
        if number is not None:
            found[number] = name
    match policy:
        case Latest(count):
            wanted = sorted(found, reverse=True)[: max(1, count)]
        case All():
            wanted = sorted(found, reverse=True)
        case Specific(versions):
            wanted = sorted(versions & found.keys(), reverse=True)
    return {number: found[number] for number in wanted}
