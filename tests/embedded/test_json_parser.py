"""JSON request bodies: accepted texts, parsed values and error messages."""

from __future__ import annotations

import json
import math
import random
import sys
import threading
import time

import pytest
from seq2sum_serving.embedded import memory
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.rest import deep_json_parser
from seq2sum_serving.embedded.rest.json_numbers import parse_number
from seq2sum_serving.embedded.rest.json_parser import parse_object, parse_value
from seq2sum_serving.embedded.rest.json_writer import value_text
from support.serving_errors import refusal


def error_message(body, parse=parse_object):
    code, message = refusal(parse, body)
    assert code is Code.INVALID_ARGUMENT
    return message


@pytest.mark.parametrize(
    ("body", "offset"),
    [
        (b" \n", 2),
        (b"{nope", 1),
        (b'{"a":1,}', None),  # depends on the version of Python
        (b'{"a" 1}', 5),
        (b'{"a":1 "b":2}', 7),
        (b'{"a":[1 2]}', 8),
        (b'{"a":}', 5),
        (b'{"a":tru}', 5),
        (b'{"a":"b', 5),
        (b'{"a":"\\x"}', 6),
        (b'{"a":"\\u12g4"}', None),
        (b'{"a":"\n"}', 6),
        (b'{"a":1.}', 6),
        (b'{"a":+1}', 5),
        (b'{"a":nan}', 5),
        (b'{"a":Infinit}', 13),
        ('{"\u00e9": \u00e9}'.encode(), 7),
        (b"\xff\xfe{", 0),
    ],
)
def test_parse_error_has_the_offset(body, offset):
    message = error_message(body)
    assert message.startswith("JSON Parse error: ")
    if offset is not None:
        assert message.endswith(f" at offset: {offset}")


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"\\ud800"}',
        b'{"a":"\\ud800\\u0041"}',
        b'{"a":"\\\\\\ud800"}',
        b'{"a":1e999}',
        b'{"a":-1e309}',
        b'{"a":' + b"1" * 400 + b"}",
        b'{"a":' + b"1" * 5000 + b"}",
    ],
)
def test_text_that_only_pythons_json_accepts_is_rejected(body):
    assert error_message(body).startswith("JSON Parse error: ")


def test_empty_body_is_an_empty_document():
    assert error_message(b"") == "JSON Parse error: The document is empty"


def test_body_must_be_an_object():
    assert error_message(b"[1, 1.50]") == "JSON Value: [1, 1.5] Is not object"
    assert error_message(b"NaN") == "JSON Value:  Is not object"


def test_byte_order_mark_and_trailing_text_are_ignored():
    assert parse_object(b'\xef\xbb\xbf {"a": 1} and more') == {"a": 1}


def test_spellings_of_infinity_and_nan():
    assert parse_value(b"[Inf, -Infinity, Infinity, -Inf]") == [
        math.inf,
        -math.inf,
        math.inf,
        -math.inf,
    ]
    found = parse_value(b'[-NaN, "-NaN \\" Inf", NaN]')
    assert math.isnan(found[0])
    assert found[1] == '-NaN " Inf'


def test_first_duplicate_key_wins_and_all_are_in_messages():
    found = parse_object(b'{"a": 1, "b": {"c": 3}, "a": 2}')
    assert found == {"a": 1, "b": {"c": 3}}
    assert value_text(found) == (
        '{\n    "a": 1,\n    "b": {\n        "c": 3\n    },\n    "a": 2\n}'
    )


def test_strings_keep_invalid_utf_8():
    def content(body):
        return parse_value(body).encode("utf-8", "surrogateescape")

    assert content(b'"\xff\x80\xed\xa0\x80"') == b"\xff\x80\xed\xa0\x80"
    assert content(b'"a\\u0000b\\u0000"') == b"a\0b\0"
    assert parse_value(b'"\\ud83d\\ude00 \\\\ud83d"') == "\U0001f600 \\ud83d"
    # A lone low surrogate has three bytes (recorded case rest-parse/text-lone-surrogates).
    assert content(b'"\\udc00"') == content(b'"\\uDC00"') == b"\xed\xb0\x80"
    assert content(b'"\\\\\\udcff"') == b"\\\xed\xb3\xbf"


def test_64_bit_integers_stay_integers():
    values = parse_value(b"[18446744073709551615, 18446744073709551616, -9223372036854775808, -0]")
    assert values == [2**64 - 1, 2.0**64, -(2**63), 0]
    assert [type(value) for value in values] == [int, float, int, int]
    assert math.copysign(1, parse_value(b"-0.0")) == -1


def test_subnormal_doubles_become_zeros():
    assert parse_value(b"[5e-324, 1e-99999, 2.2250738585072014e-308]") == [0, 0, 2.0**-1022]
    assert math.copysign(1, parse_value(b"-5e-324")) == -1
    assert parse_value(b"0." + b"0" * 400 + b"1") == 0


@pytest.mark.parametrize(
    ("token", "value"),
    [
        ("1e-" + "9" * 5000, 0),
        ("1e" + "0" * 5000 + "2", 100),
        ("1E+002", 100),
        ("0." + "1" * 5000, 0.11111111111111112),
        ("0.1e309", 1e308),
        ("1.8e308", math.inf),  # RapidJSON 1.1.0 checks the exponent only
    ],
)
def test_numbers_of_any_length_are_parsed(token, value):
    assert parse_value(token.encode()) == value


@pytest.mark.parametrize("token", ["1" * 5000, "1" * 5000 + ".5", "1e" + "9" * 5000, "0e309"])
def test_numbers_too_large_for_a_double_are_rejected(token):
    with pytest.raises(ServingError, match="JSON Parse error: number too large for a double"):
        parse_value(token.encode())


def test_doubles_are_within_four_ulps():
    rng = random.Random(7)
    for _ in range(2000):
        token = repr(rng.uniform(-1, 1) * 10 ** rng.randint(-300, 300))
        value, nearest = parse_number(token), json.loads(token)
        assert abs(value - nearest) <= 4 * math.ulp(nearest), token


@pytest.mark.parametrize("depth", [900, 5000, deep_json_parser.MAX_DEPTH - 1])
def test_deep_nesting_is_parsed(depth):
    lists = parse_object(b'{"a":' + b"[" * depth + b"1.5" + b"]" * depth + b', "b": 2}')
    assert lists["b"] == 2
    levels, value = 0, lists["a"]
    while isinstance(value, list):
        (value,) = value
        levels += 1
    assert (levels, value) == (depth, 1.5)
    objects = parse_object(b'{"a":' * depth + b"null" + b"}" * depth)
    assert isinstance(objects["a"], dict)


def small_stacks():
    if sys.version_info >= (3, 12):
        pytest.skip("Python's JSON parser recurses 10,000 levels deep")
    threading.stack_size(1 << 18)


@pytest.mark.slow
def test_nesting_beyond_the_limit_is_rejected():
    for text in (b"[" * 100_000, b'{"a":' * 100_000, b'[{"":' * 50_000):
        assert "nested too deeply" in error_message(b'{"a":' + text)


@pytest.mark.parametrize("configure_stacks", [memory.configure_stacks, small_stacks])
def test_deep_nesting_in_a_thread(configure_stacks):
    outcomes = []
    configure_stacks()
    try:
        body = b'{"a":' + b"[" * 40_000 + b"]" * 40_000 + b"}"
        thread = threading.Thread(target=lambda: outcomes.append(len(parse_object(body))))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(0)
    assert outcomes == [1]


def outcome(parse, text):
    """Returns a result as text, because NaN != NaN and -0.0 == 0.0."""
    try:
        return repr(parse(text))
    except ValueError:
        return "not JSON"


def test_deep_parser_agrees_with_pythons_json():
    rng = random.Random(7)
    seeds = [
        '{"a": [1, 2.5, -0, -0.0, 1e5, "\\u00e9\\ud83d\\ude00\\\\", null, true], "x": NaN}',
        '{"a": [], "b": {}, "a": [[], {"": -Infinity}], "c": false}',
        '[[], {}, "\udcff\udcfe", -Infinity, {"b64": "//4="}]',
    ]
    alphabet = '{}[]",:019.eE+-\\utfnsNIi \n\x00\udcff'

    def pythons_json(text):
        start = deep_json_parser._WHITESPACE.match(text).end()
        decoder = json.JSONDecoder(object_pairs_hook=deep_json_parser.make_object)
        return decoder.raw_decode(text, start)[0]

    for _ in range(5000):
        text = list(rng.choice(seeds))
        for _ in range(rng.randint(0, 3)):
            at = rng.randrange(len(text))
            text[at : at + rng.randint(0, 1)] = rng.choices(alphabet, k=rng.randint(0, 1))
        text = "".join(text)
        assert outcome(deep_json_parser.parse_value, text) == outcome(pythons_json, text), text


def test_time_for_an_invalid_body_is_bounded():
    elements = b"[" + b"1.5, " * 400_000
    started = time.process_time()
    parse_value(elements + b"1]")
    valid_seconds = time.process_time() - started
    started = time.process_time()
    error_message(elements + b"x]", parse_value)
    assert time.process_time() - started < 5 * valid_seconds + 0.5
