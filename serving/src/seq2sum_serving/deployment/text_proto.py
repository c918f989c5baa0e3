"""Positions of fields in the text of a protobuf message, so that single fields can be edited.

`google.protobuf.text_format` reads and writes whole messages and loses comments. This module only
finds positions: callers parse the text with `text_format` before and after an edit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)
    |(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<open>[{<])|(?P<close>[}>])|(?P<mark>[:;,\[\]])
    |(?P<word>[^\s\#"'{}<>:;,\[\]]+)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text that is neither whitespace nor a comment."""

    kind: str
    text: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Field:
    """A field as written; each separate entry of a repeated field is one of these."""

    name: str
    begin: int
    """Start of its name."""
    end: int
    """End of its value, without a separator that follows."""
    inner: tuple[int, int] | None
    """Start and end of what is between the braces of a message; None for a scalar or a list."""
    scalar: str | None
    """The token of a scalar, as written; None for a message or a list."""
    fields: tuple[Field, ...]
    """Fields of a message."""

    def all(self, name: str) -> list[Field]:
        """Returns its fields of this name, in order."""
        return [field for field in self.fields if field.name == name]


@dataclass(frozen=True, slots=True)
class Edit:
    """A range of the text, and its replacement."""

    begin: int
    end: int
    text: str


def fields(text: str) -> tuple[Field, ...]:
    """Returns the fields of a message that `text_format` accepts.

    Raises:
        ValueError: The text is not a message, or is written in a form that is not supported.
    """
    reader = _Reader(tuple(_tokens(text)))
    found = tuple(reader.fields())
    if reader.token is not None:
        raise ValueError(f"unexpected {reader.token.text!r} at character {reader.token.begin}")
    return found


def apply(text: str, edits: Sequence[Edit]) -> str:
    """Applies edits, which must not overlap; returns the new text."""
    for edit in sorted(edits, key=lambda edit: edit.begin, reverse=True):
        text = text[: edit.begin] + edit.text + text[edit.end :]
    return text


def removal(text: str, field: Field) -> Edit:
    """Returns the edit that removes a field.

    The whole line is removed if it holds nothing else, except for a comment after the field.
    """
    end = field.end
    while end < len(text) and text[end] in " \t,;":
        end += 1
    line_begin = text.rfind("\n", 0, field.begin) + 1
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    rest = text[end:line_end]
    if not text[line_begin : field.begin].strip() and (not rest.strip() or rest[0] == "#"):
        return Edit(line_begin, min(line_end + 1, len(text)), "")
    return Edit(field.begin, end, "")


def indent(text: str, field: Field) -> str | None:
    """Returns the whitespace before a field; None if the field is not the first on its line."""
    before = text[text.rfind("\n", 0, field.begin) + 1 : field.begin]
    return before if not before.strip() else None


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"a quote is not closed at character {position}")
        kind = str(match.lastgroup)
        if kind != "skip":
            yield Token(kind, match.group(), position, match.end())
        position = match.end()


class _Reader:
    """Reads fields from tokens, once."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens, self._next = tokens, 0

    @property
    def token(self) -> Token | None:
        """The next token; None at the end."""
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def fields(self) -> Iterator[Field]:
        """Yields fields up to a closing brace or the end."""
        while (name := self.token) is not None and name.kind == "word":
            self._next += 1
            self._skip(":")
            yield self._value(name)
            while self._skip(",") or self._skip(";"):
                pass

    def _value(self, name: Token) -> Field:
        token = self._take()
        if token.kind == "open":
            inner = tuple(self.fields())
            close = self._take()
            if close.kind != "close":
                raise ValueError(f"unexpected {close.text!r} at character {close.begin}")
            return Field(name.text, name.begin, close.end, (token.end, close.begin), None, inner)
        if token.text == "[":
            depth = 1
            while depth:
                last = self._take()
                depth += (last.text == "[") - (last.text == "]")
            return Field(name.text, name.begin, last.end, None, None, ())
        end = token.end
        while token.kind == "text" and self.token is not None and self.token.kind == "text":
            end = self._take().end  # adjacent strings are one value
        return Field(name.text, name.begin, end, None, token.text, ())

    def _skip(self, text: str) -> bool:
        if self.token is not None and self.token.text == text and self.token.kind == "mark":
            self._next += 1
            return True
        return False

    def _take(self) -> Token:
        token = self.token
        if token is None:
            raise ValueError("the text ends in the middle of a field")
        self._next += 1
        return token
