"""JSON as it is written: a tree that keeps how numbers and strings are spelt, and doubled keys."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Tree = Any
"""A `Raw`, a `Pairs`, or a list of trees."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A number, string or word, spelt as it stands."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Pairs:
    """An object; keys as they are spelt, with quotes."""

    items: tuple[tuple[bytes, Tree], ...]


def written(tree: Tree) -> bytes:
    """The text of a tree, however deep."""
    parts: list[bytes] = []
    left: list[Any] = [tree]
    while left:
        node = left.pop()
        match node:
            case bytes():
                parts.append(node)
            case Raw():
                parts.append(node.text)
            case Pairs():
                left.append(b"}")
                for number, (key, value) in reversed(list(enumerate(node.items))):
                    left += [value, b":", key, b"," if number else b""]
                left.append(b"{")
            case _:
                left.append(b"]")
                for number, value in reversed(list(enumerate(node))):
                    left += [value, b"," if number else b""]
                left.append(b"[")
    return b"".join(parts)


def read(text: bytes) -> Tree | None:
    """The tree of a text; None if Python cannot read it. Strings are spelt anew."""
    try:
        value = json.loads(
            text.decode("utf-8", "surrogateescape"),
            object_pairs_hook=lambda items: Pairs(tuple((spelt(k), tree(v)) for k, v in items)),
            parse_int=lambda digits: Raw(digits.encode()),
            parse_float=lambda digits: Raw(digits.encode()),
            parse_constant=lambda word: Raw(word.encode()),
        )
        return tree(value)
    except (ValueError, RecursionError):
        return None


def tree(value: Any) -> Tree:
    match value:
        case str():
            return Raw(spelt(value))
        case list():
            return [tree(one) for one in value]
        case bool() | None:
            return Raw(json.dumps(value).encode())
    return value


def spelt(text: str) -> bytes:
    """A string with quotes; bytes that are not UTF-8 as they are."""
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogateescape")
