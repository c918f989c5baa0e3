"""Parser for JSON that is nested too deeply for the standard library.

It keeps its own stack instead of recursing. It is slower, and used only after the standard parser
has reached the interpreter's recursion limit.
"""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from seq2sum_serving.embedded.rest import json_numbers
from seq2sum_serving.embedded.rest.json_objects import make_object

MAX_DEPTH = 50_000
"""tensorflow_model_server accepts 5,000 levels (recorded case rest-depth/ignored-lists-5000) and
crashes at 100,000, because its parser recurses."""

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


def parse_value(text: str) -> Any:
    """Returns the first value of a text.

    Raises:
        ValueError: The text does not start with a value, or it is nested too deeply.
    """
    return _Parser(text).parse()


class _Parser:
    """Parses one value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._open: list[tuple[str, list[Any]]] = []
        """Lists and objects around the current position: bracket, and elements or members."""
        self._keys: list[str] = []
        """Keys of incomplete members."""

    def parse(self) -> Any:
        while True:
            value, complete = self._start_value()
            while complete:
                if not self._open:
                    return value
                value, complete = self._add(value)

    def _start_value(self) -> tuple[Any, bool]:
        """Parses a scalar or an empty container, or opens a container."""
        bracket = self._peek()
        if bracket == '"':
            return self._string(), True
        if bracket not in _CLOSING:
            return self._scalar(), True
        self._position += 1
        if self._take(_CLOSING[bracket]):
            return ([] if bracket == "[" else {}), True
        if len(self._open) == MAX_DEPTH:
            raise self._error("Lists and objects are nested too deeply")
        self._open.append((bracket, []))
        if bracket == "{":
            self._key()
        return None, False

    def _add(self, value: Any) -> tuple[Any, bool]:
        """Adds a value to the innermost container; returns the container if it is complete."""
        bracket, values = self._open[-1]
        is_object = bracket == "{"
        values.append((self._keys.pop(), value) if is_object else value)
        if self._take(_CLOSING[bracket]):
            self._open.pop()
            return (make_object(values) if is_object else values), True
        if not self._take(","):
            raise self._error("Expecting ',' delimiter")
        if is_object:
            self._key()
        return None, False

    def _key(self) -> None:
        if self._peek() != '"':
            raise self._error("Expecting property name enclosed in double quotes")
        self._keys.append(self._string())
        if not self._take(":"):
            raise self._error("Expecting ':' delimiter")

    def _string(self) -> str:
        text: str
        text, self._position = scanstring(self._text, self._position + 1, True)
        return text

    def _scalar(self) -> Any:
        match = _SCALAR.match(self._text, self._position)
        if not match:
            raise self._error("Expecting value")
        token, self._position = match.group(), match.end()
        return json_numbers.parse_number(token) if match["number"] else _CONSTANTS[token]

    def _peek(self) -> str:
        """Skips white space; returns the next character, empty at the end."""
        match = _WHITESPACE.match(self._text, self._position)
        self._position = match.end() if match else self._position
        return self._text[self._position : self._position + 1]

    def _take(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self._position += 1
        return True

    def _error(self, message: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(message, self._text, self._position)
