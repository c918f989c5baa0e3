"""JSON objects as dicts, without the loss of members that have the same name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class DoubledObject(dict[str, Any]):
    """An object with several members of one name; as a dict it has the first of each.

    RapidJSON keeps all members and finds the first.
    """

    __slots__ = ("members",)

    def __init__(self, members: list[tuple[str, Any]]) -> None:
        super().__init__(reversed(members))
        self.members = members
        """All members, in their order."""


def make_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns the object that has these members."""
    value = dict(members)
    return value if len(value) == len(members) else DoubledObject(members)


def members(value: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """Returns all members of an object, in their order."""
    return value.members if isinstance(value, DoubledObject) else value.items()
