"""Version numbers of directory entries, and which of them a policy aspires. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seq2sum import model_versions


@dataclass(frozen=True, slots=True)
class Latest:
    """The policy that aspires the versions with the largest numbers."""

    num_versions: int = 1
    """How many of them; 0 means 1 (file_system_storage_path_source.cc)."""


@dataclass(frozen=True, slots=True)
class All:
    """The policy that aspires every version."""


@dataclass(frozen=True, slots=True)
class Specific:
    """The policy that aspires the listed versions, as far as they exist."""

    versions: frozenset[int]
    """Their numbers; an empty set aspires nothing."""


VersionPolicy = Latest | All | Specific


def aspired(names: Iterable[str], policy: VersionPolicy) -> dict[int, str]:
    """Returns the aspired versions among the children of a base path, with their names.

    Children that are not versions (`1.tmp`, `v2`, `.publishing-2`) are ignored, so that a version
    can be prepared in the same folder and published by a rename.
    """
    found: dict[int, str] = {}
    for name in sorted(names):  # the last of two spellings of a number wins
        number = model_versions.directory_version(name)
        if number is not None:
            found[number] = name
    newest_first = sorted(found, reverse=True)
    match policy:
        case Latest(count):
            chosen = newest_first[: max(1, count)]
        case All():
            chosen = newest_first
        case Specific(versions):
            chosen = [number for number in newest_first if number in versions]
    return {number: found[number] for number in chosen}
