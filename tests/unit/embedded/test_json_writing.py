from __future__ import annotations

import json

import numpy as np
import pytest
from seq2sum_serving.embedded.rest.json_writing import (
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
def test_float32_is_written_with_six_digits_or_with_all_nine(number, text):
    assert decimal_texts(np.array([number], np.float32)) == [text]


def test_doubles_have_seventeen_digits_if_six_do_not_do():
    doubles = np.array([0.1, 0.1 + 0.2, 1e300, 123456.5])
    assert decimal_texts(doubles) == ["0.1", "0.30000000000000004", "1e+300", "123456.5"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decimals_read_back_as_the_same_numbers(dtype):
    some = np.random.default_rng(3)
    values = (some.random(5000) * 10.0 ** some.integers(-30, 30, 5000)).astype(dtype)
    assert np.array_equal(np.array(list(map(float, decimal_texts(values)))).astype(dtype), values)


def test_strings_are_escaped_with_capital_digits():
    assert string_text('a"\\\n\x1f\\u001f\u00e9/\x7f') == '"a\\"\\\\\\n\\u001F\\\\u001f\u00e9/\x7f"'
    assert json.loads(error_text('say "no"\n')) == {"error": 'say "no"\n'}


def test_values_in_messages_take_a_line_for_each_member():
    value = {"a": [1.0, "x", None, True], "b": {}, "c": {"d": [[]]}}
    assert value_text(value) == (
        '{\n    "a": [1.0, "x", null, true],\n    "b": {},\n    "c": {\n        "d": [[]]\n    }\n}'
    )


@pytest.mark.parametrize(
    ("number", "alone", "nested"),
    [
        (1.5, "1.5", "1.5"),
        (0.1, "0.1", "0.1"),
        (3.14159265, "3.14159274", "3.14159265"),  # alone it is a float first
        (1e21, "1e+21", "1e21"),
        (1e-7, "1e-07", "1e-7"),
        (1.25e-9, "1.25e-09", "1.25e-9"),
        (123456789.0, "123456792.0", "123456789.0"),
        (1e39, "1e+39", "1e39"),
        (-0.00001, "-1e-05", "-0.00001"),
    ],
)
def test_decimals_look_different_alone_and_within_a_value(number, alone, nested):
    assert value_text(number) == alone
    assert value_text([number]) == f"[{nested}]"


def test_a_value_with_nan_inside_is_cut_there():
    assert value_text(float("nan")) == "NaN"
    assert value_text({"a": [1, float("nan"), 2]}) == '{\n    "a": [1, '
