"""JSON as trees that keep the spelling of numbers and strings, and duplicate keys."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Tree = Any
"""A `Token`, an `Object`, or a list of trees."""


@dataclass(frozen=True, slots=True)
class Token:
    """A number, string or literal, as written."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Object:
    """An object; keys as written, with quotes."""

    members: tuple[tuple[bytes, Tree], ...]


def write(tree: Tree) -> bytes:
    """Returns the text of a tree of any depth."""
    parts: list[bytes] = []
    pending: list[Any] = [tree]
    while pending:
        node = pending.pop()
        match node:
            case bytes():
                parts.append(node)
            case Token():
                parts.append(node.text)
            case Object():
                pending.append(b"}")
                for number, (key, value) in reversed(list(enumerate(node.members))):
                    pending += [value, b":", key, b"," if number else b""]
                pending.append(b"{")
            case _:
                pending.append(b"]")
                for number, value in reversed(list(enumerate(node))):
                    pending += [value, b"," if number else b""]
                pending.append(b"[")
    return b"".join(parts)


def read(text: bytes) -> Tree | None:
    """Returns the tree of a text, with normalized escapes; None if Python cannot parse it."""

    def token(text: str) -> Token:
        return Token(text.encode())

    try:
        value = json.loads(
            text.decode("utf-8", "surrogateescape"),
            object_pairs_hook=lambda pairs: Object(tuple((quote(k), tree(v)) for k, v in pairs)),
            parse_int=token,
            parse_float=token,
            parse_constant=token,
        )
        return tree(value)
    except (ValueError, RecursionError):
        return None


def tree(value: Any) -> Tree:
    match value:
        case str():
            return Token(quote(value))
        case list():
            return [tree(element) for element in value]
        case bool() | None:
            return Token(json.dumps(value).encode())
    return value


def quote(text: str) -> bytes:
    """Returns a string in quotes, with bytes that are not UTF-8 unchanged."""
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogateescape")
