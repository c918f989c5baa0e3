"""JSON values that are nested deeper than the standard library's parser goes.

This parser keeps its own stack, so that depth costs memory only. It is slower and asked only when
the other one has reached the interpreter's recursion limit.
"""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from seq2sum_serving.embedded.rest import json_numbers
from seq2sum_serving.embedded.rest.json_objects import make_object

DEEPEST = 50_000
"""The real server answers 5,000 levels (recorded case rest-depth/ignored-lists-5000) and crashes at
100,000: its parser recurses."""

_WHITESPACE = re.compile(r"[ \t\r\n]*")
_SCALAR = re.compile(
    r"(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"
    r"|null|true|false|NaN|-?Infinity"
)
_CONSTANTS = {
    "null": None,
    "true": True,
    "false": False,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}
_CLOSING = {"[": "]", "{": "}"}


def read_value(text: str) -> Any:
    """Returns the first value of a text.

    Raises:
        ValueError: There is none, or it is nested too deeply.
    """
    return _Reader(text).read()


class _Reader:
    """Reads one value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open: list[tuple[str, list[Any]]] = []
        """The lists and objects around the current position: bracket, elements or members."""
        self._names: list[str] = []
        """Names whose values are not complete."""

    def read(self) -> Any:
        while True:
            value, complete = self._start_value()
            while complete:
                if not self._open:
                    return value
                value, complete = self._add(value)

    def _start_value(self) -> tuple[Any, bool]:
        """Reads a scalar or an empty container, or opens one that is not empty."""
        bracket = self._peek()
        if bracket == '"':
            return self._string(), True
        if bracket not in _CLOSING:
            return self._scalar(), True
        self._at += 1
        if self._take(_CLOSING[bracket]):
            return ([] if bracket == "[" else {}), True
        if len(self._open) == DEEPEST:
            raise self._error("Lists and objects are nested too deeply")
        self._open.append((bracket, []))
        if bracket == "{":
            self._name()
        return None, False

    def _add(self, value: Any) -> tuple[Any, bool]:
        """Adds a value to the innermost container, which may be complete with it."""
        bracket, values = self._open[-1]
        is_object = bracket == "{"
        values.append((self._names.pop(), value) if is_object else value)
        if self._take(_CLOSING[bracket]):
            self._open.pop()
            return (make_object(values) if is_object else values), True
        if not self._take(","):
            raise self._error("Expecting ',' delimiter")
        if is_object:
            self._name()
        return None, False

    def _name(self) -> None:
        if self._peek() != '"':
            raise self._error("Expecting property name enclosed in double quotes")
        self._names.append(self._string())
        if not self._take(":"):
            raise self._error("Expecting ':' delimiter")

    def _string(self) -> str:
        text: str
        text, self._at = scanstring(self._text, self._at + 1, True)
        return text

    def _scalar(self) -> Any:
        found = _SCALAR.match(self._text, self._at)
        if not found:
            raise self._error("Expecting value")
        value = json_numbers.number(found.group()) if found["number"] else _CONSTANTS[found.group()]
        self._at = found.end()
        return value

    def _peek(self) -> str:
        """The next character after white space; empty at the end."""
        found = _WHITESPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._text[self._at : self._at + 1]

    def _take(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self._at += 1
        return True

    def _error(self, message: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(message, self._text, self._at)
