"""Where the fields of a message stand in its text, so that one can be changed and the rest kept.

`google.protobuf.text_format` reads and writes whole messages, and a comment is no part of one:
what it writes back has lost them. This only finds places. Whoever changes text parses it with
`text_format` before and after.
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
    """A piece of text that is neither blank nor comment."""

    kind: str
    text: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Field:
    """One field, once for each value that is written out."""

    name: str
    begin: int
    """Where its name begins."""
    end: int
    """Where its value ends; a separator after it is not part of it."""
    inner: tuple[int, int] | None
    """What stands between the braces of a message; None for a scalar or a list."""
    scalar: str | None
    """The token of a scalar as it is written."""
    fields: tuple[Field, ...]
    """Of a message."""

    def all(self, name: str) -> list[Field]:
        """Its fields of this name, in order."""
        return [field for field in self.fields if field.name == name]


@dataclass(frozen=True, slots=True)
class Edit:
    """A stretch of text and what shall stand there."""

    begin: int
    end: int
    text: str


def fields(text: str) -> tuple[Field, ...]:
    """The fields of a message that `text_format` accepts.

    Raises:
        ValueError: It is none, or is written in a way that is not known here.
    """
    reader = _Reader(tuple(_tokens(text)))
    found = tuple(reader.fields())
    if reader.token is not None:
        raise ValueError(f"unexpected {reader.token.text!r} at character {reader.token.begin}")
    return found


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text with all edits made; they do not overlap."""
    for edit in sorted(edits, key=lambda one: one.begin, reverse=True):
        text = text[: edit.begin] + edit.text + text[edit.end :]
    return text


def removal(text: str, field: Field) -> Edit:
    """Takes a field out, with its line and the comment behind it where the line is its own."""
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
    """The blanks before a field that begins its line; None if something else stands there."""
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
    """Goes through tokens once."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens, self._next = tokens, 0

    @property
    def token(self) -> Token | None:
        """The next one; None at the end."""
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def fields(self) -> Iterator[Field]:
        """Fields up to a closing brace or the end."""
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
            end = self._take().end  # texts that follow each other are one
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
