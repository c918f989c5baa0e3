"""JSON text to Python values, as RapidJSON reads it for TensorFlow Serving (util/json_tensor.cc).

The standard library parses; what differs from RapidJSON is done around it:

- `NaN`, `-NaN`, `Inf` and `Infinity` are numbers, what follows the first value is ignored, and a
  byte order mark is skipped;
- the first of several members with one name counts, and all of them show in messages;
- numbers that are long or have a large exponent get RapidJSON's values (`json_numbers`);
- strings keep bytes that are not UTF-8 (as surrogate escapes) and single low surrogates, and may
  not have single high ones;
- lists and objects may be nested deeper than the interpreter recurses (`deep_json_parser`).

Messages keep RapidJSON's prefix; their wording is the library's.
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
# Tokens that may need RapidJSON's rounding, or are too large for it.
_AS_ZEROS = bytes.maketrans(b"123456789.", b"0" * 10)
_LONG = b"0" * 16
_EXPONENT = re.compile(rb"[eE][-+]?[0-9]{2}")
# Escaped backslashes and surrogate pairs come first, so that what is left are single surrogates.
_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u(?P<high>[dD][89abAB])|\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# What the standard library has no spelling for, and strings, which are to be skipped.
_SPELLINGS = re.compile(r'"(?:[^"\\]|\\.)*"?|-NaN|(-?)Inf(?:inity)?', re.DOTALL)
_SPELLING = re.compile(r"-?Inf|-NaN")

_DECODER = json.JSONDecoder(object_pairs_hook=make_object)
_CAREFUL = json.JSONDecoder(
    object_pairs_hook=make_object,
    parse_float=json_numbers.number,
    parse_int=json_numbers.number,
)


def read_object(body: bytes) -> dict[str, Any]:
    """Returns the object that a request's body begins with.

    Raises:
        ServingError: The body does not begin with a JSON object.
    """
    if not body:
        raise _parse_error("The document is empty")
    value = read_value(body)
    if not isinstance(value, dict):
        raise ServingError(Code.INVALID_ARGUMENT, f"JSON Value: {value_text(value)} Is not object")
    return value


def read_value(body: bytes) -> Any:
    """Returns the first JSON value of a text.

    Raises:
        ServingError: The text does not begin with a JSON value, or it is nested too deeply.
    """
    try:
        return _first_value(body)
    except json.JSONDecodeError as error:
        offset = len(error.doc[: error.pos].encode("utf-8", ENCODING_ERRORS))
        raise _parse_error(f"{error.msg.removesuffix(' at')} at offset: {offset}") from None
    except ValueError as error:
        raise _parse_error(str(error)) from None


def _first_value(body: bytes) -> Any:
    careful = _LONG in body.translate(_AS_ZEROS) or _EXPONENT.search(body)
    decoder = _CAREFUL if careful else _DECODER
    body = body.removeprefix(codecs.BOM_UTF8)
    if _SURROGATE.search(body):
        body = _SURROGATES.sub(_plain_surrogate, body)
    text = body.decode("utf-8", ENCODING_ERRORS)
    try:
        return _decoded(decoder, text)
    except json.JSONDecodeError as error:
        if not _SPELLING.match(text, error.pos):
            raise
    return _decoded(decoder, _SPELLINGS.sub(_usual_spelling, text))


def _decoded(decoder: json.JSONDecoder, text: str) -> Any:
    start = _WHITESPACE.match(text)
    try:
        return decoder.raw_decode(text, start.end() if start else 0)[0]
    except RecursionError:
        return deep_json_parser.read_value(text)


def _plain_surrogate(found: re.Match[bytes]) -> bytes:
    if found["high"]:
        raise ValueError("single high surrogate in a string")
    if found["low"]:
        return chr(int(found["low"], 16)).encode("utf-8", "surrogatepass")
    return found.group()


def _usual_spelling(found: re.Match[str]) -> str:
    text = found.group()
    if text.startswith('"'):
        return text
    return "NaN" if text == "-NaN" else f"{found[1]}Infinity"


def _parse_error(what: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, f"JSON Parse error: {what}")
