from __future__ import annotations

import json
import math
import random

import pytest
from seq2sum_serving.embedded.errors import ServingError
from seq2sum_serving.embedded.rest import rapid_json
from seq2sum_serving.embedded.rest.json_reading import read_object, read_value


def outcome(read, body):
    """What a reader makes of a text, as text: NaN differs from itself and -0.0 not from 0.0."""
    try:
        return repr(read(body))
    except ServingError as error:
        return error.message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The document is empty"),
        (b" \n", "The document is empty. at offset: 2"),
        (b"{nope", "Missing a name for object member. at offset: 1"),
        (b'{"a":1,}', "Missing a name for object member. at offset: 7"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a":1 "b":2}', "Missing a comma or } after an object member. at offset: 7"),
        (b'{"a":[1 2]}', "Missing a comma or ] after an array element. at offset: 8"),
        (b'{"a":}', "Invalid value. at offset: 5"),
        (b'{"a":tru}', "Invalid value. at offset: 8"),
        (b'{"a":"b', "Missing a closing quotation mark in string. at offset: 7"),
        (b'{"a":"\\x"}', "Invalid escape character in string. at offset: 6"),
        (b'{"a":"\\u12g4"}', "Incorrect hex digit after \\u escape in string. at offset: 6"),
        (b'{"a":"\\ud800"}', "The surrogate pair in string is invalid. at offset: 6"),
        (b'{"a":1.}', "Miss fraction part in number. at offset: 7"),
        (b'{"a":1e}', "Miss exponent in number. at offset: 7"),
        (b'{"a":1e999}', "Number too big to be stored in double. at offset: 5"),
    ],
)
def test_errors_come_in_the_other_parsers_words(body, said):
    with pytest.raises(ServingError) as refused:
        read_object(body)
    assert refused.value.message == f"JSON Parse error: {said}"


def test_only_an_object_will_do():
    with pytest.raises(ServingError) as refused:
        read_object(b"[1, 1.50]")
    assert refused.value.message == "JSON Value: [1, 1.5] Is not object"


def test_the_dialect():
    assert read_object(b'\xef\xbb\xbf {"a": 1, "a": 2} and more') == {"a": 1}
    assert read_value(b"[Inf, -Infinity, Infinity]") == [math.inf, -math.inf, math.inf]
    assert math.isnan(read_value(b"-NaN"))
    assert read_value(b'"\\ud83d\\ude00 \\\\ud83d"') == "\U0001f600 \\ud83d"
    assert read_value(b'"\xff"').encode("utf-8", "surrogateescape") == b"\xff"


def test_numbers_are_integers_as_far_as_64_bits_go():
    values = read_value(b"[18446744073709551615, 18446744073709551616, -9223372036854775808, -0]")
    assert values == [2**64 - 1, 2.0**64, -(2**63), 0]
    assert [type(value) for value in values] == [int, float, int, int]
    assert math.copysign(1, read_value(b"-0.0")) == -1


def test_text_nested_too_deeply_is_an_error_and_no_crash():
    assert outcome(read_object, b'{"a":' + b"[" * 1_000_000).startswith("JSON Parse error")


def test_both_readers_agree_whatever_the_text():
    pick = random.Random(7)
    seeds = [
        b'{"a": [1, 2.5, -0, -0.0, 1e5, "\\u00e9\\ud83d\\ude00\\\\", null, true], "x": NaN}',
        b'{"a": [12345678901234567890, 18446744073709551616, 0.12345678901234567890, 1e-310]}',
        b'[[], {}, "\xff\xfe", -Infinity, {"b64": "//4="}]',
    ]
    alphabet = b'{}[]",:019.eE+-\\utfnsNIi \n\x00\xff'
    for _ in range(5000):
        body = bytearray(pick.choice(seeds))
        for _ in range(pick.randint(0, 3)):
            at = pick.randrange(len(body))
            body[at : at + pick.randint(0, 1)] = bytes(pick.choices(alphabet, k=pick.randint(0, 1)))
        body = bytes(body)
        assert outcome(read_value, body) == outcome(
            lambda text: rapid_json.Reader(text).read(), body
        ), body


def test_doubles_are_near_the_nearest():
    pick = random.Random(7)
    for _ in range(2000):
        token = repr(pick.uniform(-1, 1) * 10 ** pick.randint(-300, 300))
        value, nearest = rapid_json.number(token), json.loads(token)
        assert abs(value - nearest) <= 4 * math.ulp(nearest), token
