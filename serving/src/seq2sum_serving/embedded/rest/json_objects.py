"""JSON objects as dicts that keep duplicate keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class DuplicateKeysObject(dict[str, Any]):
    """An object with duplicate keys; as a dict it has the first value of each key.

    RapidJSON keeps all members and finds the first.
    """

    __slots__ = ("members",)

    def __init__(self, members: list[tuple[str, Any]]) -> None:
        super().__init__(reversed(members))
        self.members = members
        """All members in order."""


def make_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns an object with these members."""
    value = dict(members)
    return value if len(value) == len(members) else DuplicateKeysObject(members)


def members(value: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """Returns all members of an object in order."""
    return value.members if isinstance(value, DuplicateKeysObject) else value.items()
