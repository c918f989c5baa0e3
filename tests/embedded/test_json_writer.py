from __future__ import annotations

import json

import numpy as np
import pytest
from seq2sum_serving.embedded.rest.json_writer import (
    decimal_texts,
    error_text,
    string_text,
    value_text,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (2, "2.0"),
        (2.1, "2.1"),
        (3.41421366, "3.41421366"),
        (1e10, "1e+10"),
        (4098, "4098.0"),
        (16777217, "16777216.0"),
        (0.00003, "3e-05"),
        (-0.0, "-0.0"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_float32_has_six_digits_or_nine(number, text):
    assert decimal_texts(np.array([number], np.float32)) == [text]


def test_float64_has_six_digits_or_seventeen():
    doubles = np.array([0.1, 0.1 + 0.2, 1e300, 123456.5])
    assert decimal_texts(doubles) == ["0.1", "0.30000000000000004", "1e+300", "123456.5"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decimals_round_trip(dtype):
    rng = np.random.default_rng(3)
    values = (rng.random(5000) * 10.0 ** rng.integers(-30, 30, 5000)).astype(dtype)
    assert np.array_equal(np.array(list(map(float, decimal_texts(values)))).astype(dtype), values)


def test_escapes_have_upper_case_digits():
    assert string_text('a"\\\n\x1f\\u001f\u00e9/\x7f') == '"a\\"\\\\\\n\\u001F\\\\u001f\u00e9/\x7f"'
    assert json.loads(error_text('say "no"\n')) == {"error": 'say "no"\n'}


def test_subnormal_numbers_are_written_as_zeros():
    singles = np.array([1e-45, -1e-39, np.finfo(np.float32).tiny], np.float32)
    assert decimal_texts(singles) == ["0.0", "-0.0", "1.17549435e-38"]
    assert decimal_texts(np.array([5e-324, -1e-310])) == ["0.0", "-0.0"]


def test_layout_of_values_in_messages():
    value = {"a": [1.0, "x", None, True], "b": {}, "c": {"d": [[]]}}
    assert value_text(value) == (
        '{\n    "a": [1.0, "x", null, true],\n    "b": {},\n    "c": {\n        "d": [[]]\n    }\n}'
    )
    assert value_text([[{"a": 1}]]) == '[[{\n            "a": 1\n        }]]'


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.5, "1.5"),
        (0.1, "0.1"),
        (1.23456789012, "1.23456789012"),
        (1e21, "1e21"),
        (1e20, "100000000000000000000.0"),
        (1e-7, "1e-7"),
        (1.25e-9, "1.25e-9"),
        (123456789.0, "123456789.0"),
        (1e300, "1e300"),
        (-0.00001, "-0.00001"),
        (-0.0, "-0.0"),
        (0.1 + 0.2, "0.30000000000000007"),
        (123456789012345667584.0, "123456789012345670000.0"),
        (1.7976931348623157e308, "1.7976931348623157e308"),
        (2.2250738585072014e-308, "2.2250738585072014e-308"),
        (4.35, "4.35"),
        (1e22, "1e22"),
        (float("nan"), ""),
        (float("-inf"), ""),
    ],
)
def test_decimals_in_messages(number, text):
    assert value_text(number) == text
    assert value_text([number]) == (f"[{text}]" if text else "[")


def test_value_in_a_message_ends_at_nan():
    assert value_text({"a": [1, float("nan"), 2]}) == '{\n    "a": [1'


def test_value_in_a_message_ends_before_the_token_after_256_bytes():
    assert value_text(list(range(66))).endswith(", 64, 65]")
    assert value_text(list(range(67))) == f"[{', '.join(map(str, range(67)))}"
    assert value_text(list(range(10**6))) == value_text(list(range(67)))
    assert value_text({"a": "x" * 300, "b": 1}) == '{\n    "a": "' + "x" * 300 + '"'
    assert value_text({"k" * 300: 1}) == '{\n    "' + "k" * 300 + '"'
    # Bytes count, not characters.
    assert value_text(["\u00e9" * 127, 1]) == '["' + "\u00e9" * 127 + '"'


def test_deep_value_in_a_message_is_limited():
    value = 1
    for _ in range(100_000):
        value = [value]
    assert value_text(value) == "[" * 256
    value = 1
    for _ in range(100_000):
        value = {"": value}
    assert len(value_text(value)) < 300


def test_decimals_in_messages_round_trip():
    rng = np.random.default_rng(3)
    values = (rng.random(5000) - 0.5) * 10.0 ** rng.integers(-300, 300, 5000)
    values = [*values.tolist(), *(2.0**power for power in range(-1022, 1024))]
    for value in values:
        assert float(value_text(value)) == value
