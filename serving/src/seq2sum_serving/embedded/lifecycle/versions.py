"""Version numbers of directory entries, and which of them a policy aspires. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seq2sum import model_versions


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


def aspired(names: Iterable[str], policy: VersionPolicy) -> dict[int, str]:
    """The aspired versions among the children of a base path, with their names.

    Children that are no versions (`1.tmp`, `v2`, `.publishing-2`) are not looked at, so that a
    version can be prepared beside and published by a rename.
    """
    found: dict[int, str] = {}
    for name in sorted(names):  # of two spellings of one number the last one counts
        number = model_versions.directory_version(name)
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
