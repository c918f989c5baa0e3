"""A reader of JSON with the rules, the words and the offsets of RapidJSON 1.1.

It is slower than the standard library's and asked only where the two differ: to say what is wrong
and where, and for what only one of them accepts (`Inf`, `-NaN`, half of a surrogate pair).
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from seq2sum_serving.embedded.errors import Code, ServingError

_WHITESPACE = re.compile(rb"[ \t\r\n]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_DIGITS = re.compile(rb"[0-9]*")
_HEX4 = re.compile(rb"[0-9a-fA-F]{4}")
_ESCAPES = dict(zip(b'"/\\bfnrt', b'"/\\\b\f\n\r\t', strict=True))
_BYTE_ORDER_MARK = (0xEF, 0xBB, 0xBF)

_EXACT = 2**53 - 1
"""Above this, further digits of a fraction are added with rounding."""
_DIGITS_KEPT = 17
_INTEGER_DIGITS = 20
_LARGEST_BUT_ONE_DIGIT = 1.7976931348623157e307
_LARGEST_EXPONENT = 308
_POWERS = [float(f"1e{power}") for power in range(_LARGEST_EXPONENT + 1)]


def number(token: str) -> int | float:
    """The value of a well-formed number, rounded as RapidJSON rounds.

    Raises:
        ValueError: It does not fit a double.
    """
    mantissa, _, power = token.lower().partition("e")
    minus = mantissa.startswith("-")
    whole, point, fraction = mantissa[minus:].partition(".")
    if point and not power and len(fraction) <= _LARGEST_EXPONENT:
        # Nearly always: all digits make one integer, or all but the last.
        digits = int(whole + fraction)
        if digits // 10 <= _EXACT:
            size = float(digits) / _POWERS[len(fraction)]
            return -size if minus else size
    limit = 2**63 if minus else 2**64 - 1
    if not point and not power and len(whole) <= _INTEGER_DIGITS and int(whole) <= limit:
        return -int(whole) if minus else int(whole)
    size = _scaled(whole, fraction, int(power or 0), limit)
    return -size if minus else size


def _scaled(whole: str, fraction: str, exponent: int, limit: int) -> float:
    significand: int | float = 0
    for digit in whole:
        grown = significand * 10 + int(digit)
        if isinstance(significand, int) and grown > limit:
            grown = float(significand) * 10 + int(digit)
        elif significand >= _LARGEST_BUT_ONE_DIGIT:
            raise ValueError(whole)
        significand = grown
    digits = len(whole) - 1
    taken = 0
    for digit in fraction:
        if significand > _EXACT:
            significand = float(significand)
        if isinstance(significand, float) and digits >= _DIGITS_KEPT:
            break
        significand = significand * 10 + int(digit)
        taken += 1
        digits += significand > 0
    if exponent > _LARGEST_EXPONENT + taken:
        raise ValueError(exponent)
    return _times_power(float(significand), exponent - taken)


def _times_power(value: float, power: int) -> float:
    if power < -_LARGEST_EXPONENT:
        value /= _POWERS[_LARGEST_EXPONENT]
        power += _LARGEST_EXPONENT
        if power < -_LARGEST_EXPONENT:
            return 0.0
    return value * _POWERS[power] if power >= 0 else value / _POWERS[-power]


class Reader:
    """Reads one value from a text."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def read(self) -> Any:
        """The first value.

        Raises:
            ServingError: What RapidJSON would say.
        """
        for byte in _BYTE_ORDER_MARK:
            if self._peek() == byte:
                self._at += 1
        self._skip()
        if self._peek() == 0:
            self._fail("The document is empty.")
        return self._value()

    def _peek(self) -> int:
        # The end reads as a zero byte, and so a zero byte as the end.
        return self._body[self._at] if self._at < len(self._body) else 0

    def _consume(self, word: bytes) -> bool:
        """Takes as much of a word as is there; whether that was all of it."""
        for byte in word:
            if self._peek() != byte:
                return False
            self._at += 1
        return True

    def _match(self, pattern: re.Pattern[bytes]) -> bytes:
        found = pattern.match(self._body, self._at)
        self._at = found.end() if found else self._at
        return found.group() if found else b""

    def _skip(self) -> None:
        self._match(_WHITESPACE)

    def _fail(self, what: str, at: int | None = None) -> NoReturn:
        offset = self._at if at is None else at
        raise ServingError(Code.INVALID_ARGUMENT, f"JSON Parse error: {what} at offset: {offset}")

    def _value(self) -> Any:
        byte = self._peek()
        if byte == ord("{"):
            return self._object()
        if byte == ord("["):
            return self._array()
        if byte == ord('"'):
            return self._string()
        for word, value in ((b"null", None), (b"true", True), (b"false", False)):
            if byte == word[0]:
                if not self._consume(word):
                    self._fail("Invalid value.")
                return value
        return self._number()

    def _object(self) -> dict[str, Any]:
        self._at += 1
        self._skip()
        members: dict[str, Any] = {}
        if self._consume(b"}"):
            return members
        while True:
            if self._peek() != ord('"'):
                self._fail("Missing a name for object member.")
            name = self._string()
            self._skip()
            if not self._consume(b":"):
                self._fail("Missing a colon after a name of object member.")
            self._skip()
            members.setdefault(name, self._value())
            self._skip()
            if self._consume(b"}"):
                return members
            if not self._consume(b","):
                self._fail("Missing a comma or } after an object member.")
            self._skip()

    def _array(self) -> list[Any]:
        self._at += 1
        self._skip()
        elements: list[Any] = []
        if self._consume(b"]"):
            return elements
        while True:
            elements.append(self._value())
            self._skip()
            if self._consume(b"]"):
                return elements
            if not self._consume(b","):
                self._fail("Missing a comma or ] after an array element.")
            self._skip()

    def _string(self) -> str:
        self._at += 1
        pieces: list[bytes] = []
        while True:
            pieces.append(self._match(_PLAIN))
            byte = self._peek()
            if byte == ord('"'):
                self._at += 1
                return b"".join(pieces).decode("utf-8", "surrogateescape")
            if byte == 0:
                self._fail("Missing a closing quotation mark in string.")
            if byte != ord("\\"):
                self._fail("Invalid escape character in string.")
            pieces.append(self._escaped())

    def _escaped(self) -> bytes:
        start = self._at
        self._at += 1
        byte = self._peek()
        self._at += 1
        if byte in _ESCAPES:
            return bytes((_ESCAPES[byte],))
        if byte != ord("u"):
            self._fail("Invalid escape character in string.", start)
        point = self._hex4(start)
        if 0xD800 <= point <= 0xDBFF:
            low = self._hex4(start) if self._consume(b"\\u") else 0
            if not 0xDC00 <= low <= 0xDFFF:
                self._fail("The surrogate pair in string is invalid.", start)
            point = ((point - 0xD800) << 10 | (low - 0xDC00)) + 0x10000
        return chr(point).encode("utf-8", "surrogatepass")

    def _hex4(self, start: int) -> int:
        digits = self._match(_HEX4)
        if not digits:
            self._fail("Incorrect hex digit after \\u escape in string.", start)
        return int(digits, 16)

    def _number(self) -> int | float:
        start = self._at
        minus = self._consume(b"-")
        if self._peek() in b"IN":
            size = self._not_finite()
            return -size if minus else size
        if not self._consume(b"0") and not self._match(_DIGITS):
            self._fail("Invalid value.")
        if self._consume(b".") and not self._match(_DIGITS):
            self._fail("Miss fraction part in number.")
        if self._peek() in b"eE":
            self._at += 1
            if self._peek() in b"+-":
                self._at += 1
            if not self._match(_DIGITS):
                self._fail("Miss exponent in number.")
        try:
            return number(self._body[start : self._at].decode("ascii"))
        except ValueError:
            self._fail("Number too big to be stored in double.", start)

    def _not_finite(self) -> float:
        if self._consume(b"NaN"):
            return float("nan")
        if not self._consume(b"Inf") or (self._peek() == ord("i") and not self._consume(b"inity")):
            self._fail("Invalid value.")
        return float("inf")
