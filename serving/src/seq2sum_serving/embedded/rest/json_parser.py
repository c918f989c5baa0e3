"""Parses JSON text as RapidJSON does for TensorFlow Serving (util/json_tensor.cc).

The standard library parses; this module handles the cases in which RapidJSON differs:

- `NaN`, `-NaN`, `Inf` and `Infinity` are numbers, text after the first value is ignored, and a
  byte order mark is skipped;
- the first of duplicate keys wins, and messages show all of them;
- numbers that are long or have a large exponent get RapidJSON's values (`json_numbers`);
- strings keep bytes that are not UTF-8 (as surrogate escapes) and lone low surrogates, and must
  not contain lone high surrogates;
- nesting may exceed the interpreter's recursion limit (`deep_json_parser`).

Messages have RapidJSON's prefix and the standard library's wording.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.rest import deep_json_parser, json_numbers
from seq2sum_serving.embedded.rest.json_objects import make_object
from seq2sum_serving.embedded.rest.json_writer import ENCODING_ERRORS, value_text

_WHITESPACE = re.compile(r"[ \t\r\n]*")
# Numbers that may need RapidJSON's rounding, or are too large for it.
_AS_ZEROS = bytes.maketrans(b"123456789.", b"0" * 10)
_LONG_NUMBER = b"0" * 16
_EXPONENT = re.compile(rb"[eE][-+]?[0-9]{2}")
# Escaped backslashes and surrogate pairs match first, so that only lone surrogates remain.
_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u(?P<high>[dD][89abAB])|\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# Spellings that the standard library lacks, and strings, which are skipped.
_SPELLINGS = re.compile(r'"(?:[^"\\]|\\.)*"?|-NaN|(-?)Inf(?:inity)?', re.DOTALL)
_SPELLING = re.compile(r"-?Inf|-NaN")

_DECODER = json.JSONDecoder(object_pairs_hook=make_object)
_RAPIDJSON_NUMBERS_DECODER = json.JSONDecoder(
    object_pairs_hook=make_object,
    parse_float=json_numbers.parse_number,
    parse_int=json_numbers.parse_number,
)


def parse_object(body: bytes) -> dict[str, Any]:
    """Returns the object at the start of a request's body.

    Raises:
        ServingError: The body does not start with a JSON object.
    """
    if not body:
        raise _parse_error("The document is empty")
    value = parse_value(body)
    if not isinstance(value, dict):
        raise ServingError(Code.INVALID_ARGUMENT, f"JSON Value: {value_text(value)} Is not object")
    return value


def parse_value(body: bytes) -> Any:
    """Returns the first JSON value of a text.

    Raises:
        ServingError: The text does not start with a JSON value, or it is nested too deeply.
    """
    try:
        return _first_value(body)
    except json.JSONDecodeError as error:
        offset = len(error.doc[: error.pos].encode("utf-8", ENCODING_ERRORS))
        raise _parse_error(f"{error.msg.removesuffix(' at')} at offset: {offset}") from None
    except ValueError as error:
        raise _parse_error(str(error)) from None


def _first_value(body: bytes) -> Any:
    is_inexact = _LONG_NUMBER in body.translate(_AS_ZEROS) or _EXPONENT.search(body)
    decoder = _RAPIDJSON_NUMBERS_DECODER if is_inexact else _DECODER
    body = body.removeprefix(codecs.BOM_UTF8)
    if _SURROGATE.search(body):
        body = _SURROGATES.sub(_replace_surrogate, body)
    text = body.decode("utf-8", ENCODING_ERRORS)
    try:
        return _decode(decoder, text)
    except json.JSONDecodeError as error:
        if not _SPELLING.match(text, error.pos):
            raise
    return _decode(decoder, _SPELLINGS.sub(_standard_spelling, text))


def _decode(decoder: json.JSONDecoder, text: str) -> Any:
    start = _WHITESPACE.match(text)
    try:
        return decoder.raw_decode(text, start.end() if start else 0)[0]
    except RecursionError:
        return deep_json_parser.parse_value(text)


def _replace_surrogate(match: re.Match[bytes]) -> bytes:
    if match["high"]:
        raise ValueError("single high surrogate in a string")
    if match["low"]:
        return chr(int(match["low"], 16)).encode("utf-8", "surrogatepass")
    return match.group()


def _standard_spelling(match: re.Match[str]) -> str:
    text = match.group()
    if text.startswith('"'):
        return text
    return "NaN" if text == "-NaN" else f"{match[1]}Infinity"


def _parse_error(problem: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, f"JSON Parse error: {problem}")
