"""Public numbers: any numeric type is converted to int or float; other values are refused."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
from decimal import Decimal
from fractions import Fraction

import hypothesis
import numpy as np
import pytest
import seq2sum
from hypothesis import strategies as st
from seq2sum._command import argument_types as types
from seq2sum._deadline import Deadline
from seq2sum._numbers import integer, real, seconds
from seq2sum._servable import Servable
from seq2sum.addition import contract
from seq2sum.testing import FakeServer


def client(**options):
    return seq2sum.Client("localhost:1", **options)


coalescing, retry = seq2sum.Coalescing, seq2sum.Retry


def initial_backoff(value):
    return retry(initial_backoff=value, max_backoff=9).initial_backoff


def shadow(**options):
    return seq2sum.Shadow(print, **({"label": "a"} | options))


def split(weight):
    return seq2sum.Split({"a": 1, "b": weight})


REAL = {
    "Client.timeout": lambda value: client(timeout=value).timeout,
    "Deadline": lambda value: Deadline(value).expires_at,
    "Coalescing.max_delay": lambda value: coalescing(max_delay=value).max_delay,
    "Retry.initial_backoff": lambda value: (
        retry(initial_backoff=value, max_backoff=9).initial_backoff
    ),
    "Retry.max_backoff": lambda value: retry(max_backoff=value).max_backoff,
    "Retry.token_ratio": lambda value: retry(token_ratio=value).token_ratio,
    "KeepAlive.time": lambda value: seq2sum.KeepAlive(time=value).time,
    "KeepAlive.timeout": lambda value: seq2sum.KeepAlive(timeout=value).timeout,
    "Shadow.timeout": lambda value: shadow(timeout=value).timeout,
    "FakeServer.delay": lambda value: FakeServer(delay=value).delay,
    "SplitFile.poll_interval": lambda value: split_file(poll_interval=value),
}
"""Every public time and rate, as a function of its argument."""
WHOLE = {
    "Client.max_in_flight": lambda value: client(max_in_flight=value).max_in_flight,
    "version": lambda value: Servable("m", value).version,
    "Coalescing.max_batch": lambda value: coalescing(max_batch=value).max_batch,
    "Coalescing.max_in_flight": lambda value: coalescing(max_in_flight=value).max_in_flight,
    "Coalescing.max_pending": lambda value: coalescing(max_pending=value).max_pending,
    "Retry.max_attempts": lambda value: retry(max_attempts=value).max_attempts,
    "Retry.max_tokens": lambda value: retry(max_tokens=value).max_tokens,
    "Shadow.version": lambda value: seq2sum.Shadow(print, version=value).version,
    "Shadow.max_in_flight": lambda value: shadow(max_in_flight=value).max_in_flight,
    "Split.version": lambda value: seq2sum.Split({value: 1}).choose(),
    "FakeServer.versions": lambda value: FakeServer(versions=[value]).versions[0],
    "FakeServer.labels": lambda value: FakeServer(labels={"a": value}).labels["a"],
    "FakeServer.digits": lambda value: FakeServer(digits=value).digits,
    "FakeServer.port": lambda value: int(FakeServer(port=value).target.rpartition(":")[2]),
    "FakeServer.fail": lambda value: FakeServer().fail("code", times=value) or 3,
}
"""Every public integer."""
REALS = [2, 2.0, np.float32(2), np.float64(2), np.float16(2), np.longdouble(2), np.int64(2),
         np.uint8(2), Fraction(2), Decimal(2), np.array(2.0), np.array(2)]  # fmt: skip
WHOLES = [3, np.int64(3), np.int32(3), np.uint8(3)]
NOT_NUMBERS = [True, np.True_, np.array(True), "2", np.str_("2"), np.array("2"), b"2", 2j,
               np.complex64(2), np.timedelta64(2, "s"), np.datetime64(2, "s"),
               dt.timedelta(seconds=2), [2], np.array([2.0]), object()]  # fmt: skip
OUT_OF_RANGE = {
    "nan": math.nan, "inf": math.inf, "-inf": -math.inf, "-1": -1, "-0.5": -0.5,
    "float32 nan": np.float32("nan"), "float64 inf": np.float64("inf"), "int64": np.int64(-3),
    "Decimal NaN": Decimal("NaN"), "Decimal sNaN": Decimal("sNaN"), "Decimal": Decimal("Infinity"),
    "Fraction": Fraction(-1, 2), "large Fraction": Fraction(10**400),
    "large": 10**400, "unprintable": 10**5000,
}  # fmt: skip
LEAST = {
    "version": -(2**63) + 1, "Shadow.version": -(2**63) + 1,  # servers check the rest
    "Split.version": 0, "FakeServer.versions": 0, "FakeServer.labels": 0, "FakeServer.port": 0,
    "FakeServer.fail": 0,
}  # fmt: skip
MOST = {
    "version": 2**63 - 1, "Shadow.version": 2**63 - 1, "Split.version": 2**63 - 1,
    "FakeServer.versions": 2**63 - 1, "FakeServer.labels": 2**63 - 1, "FakeServer.port": 65535,
    "Coalescing.max_batch": 4096, "Retry.max_attempts": 5, "Retry.max_tokens": 1000,
}  # fmt: skip
"""Bounds of integers other than a minimum of 1 and no maximum."""


@pytest.fixture(autouse=True)
def weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.json").write_text('{"stable": 1}')


def split_file(**options):
    seq2sum.SplitFile("weights.json", **options)
    return float(options["poll_interval"])


@pytest.mark.parametrize("given", REALS, ids=lambda value: f"{type(value).__name__}({value})")
@pytest.mark.parametrize("name", REAL)
def test_times_of_any_numeric_type_become_float(name, given):
    found = REAL[name](given)
    assert type(found) is float
    assert name == "Deadline" or found == 2.0


@pytest.mark.parametrize("given", WHOLES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("name", WHOLE)
def test_integers_of_any_type_become_int(name, given):
    found = WHOLE[name](given)
    assert type(found) is int
    assert found == 3


@pytest.mark.parametrize("given", NOT_NUMBERS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("name", [*REAL, *WHOLE])
def test_values_that_are_not_numbers_are_type_errors(name, given):
    if name == "Split.version" and isinstance(given, str | list):
        return  # a label, or not hashable
    try:
        hash(given)
    except TypeError:
        if name == "Split.version":
            return
    with pytest.raises(TypeError, match=r"^invalid .+: expected "):
        (REAL | WHOLE)[name](given)


@pytest.mark.parametrize("given", OUT_OF_RANGE.values(), ids=OUT_OF_RANGE)
@pytest.mark.parametrize("name", REAL)
def test_times_out_of_range_are_value_errors(name, given):
    with pytest.raises(ValueError, match=r"^invalid .+: expected ") as refused:
        REAL[name](given)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("name", WHOLE)
def test_integers_out_of_range_are_value_errors(name):
    least, most = LEAST.get(name, 1), MOST.get(name)
    WHOLE[name](least)
    wrong = [least - 1, -(10**5000)]
    if most is not None:
        WHOLE[name](most)
        wrong += [most + 1, 10**5000]
    for given in wrong:
        with pytest.raises(ValueError, match=r"^invalid .+: expected ") as refused:
            WHOLE[name](given)
        assert len(str(refused.value)) < 200


@pytest.mark.parametrize("value", [1.0, np.float64(1), Fraction(1), Decimal(1)])
@pytest.mark.parametrize("name", WHOLE)
def test_non_integer_types_are_not_integers(name, value):
    with pytest.raises(TypeError, match=r"^invalid .+: expected an integer"):
        WHOLE[name](value)


@hypothesis.settings(deadline=None, derandomize=True)
@hypothesis.given(st.floats(0, 1e7, width=32))
def test_deadline_accepts_numpy_numbers(timeout):
    expected, found = Deadline(timeout).expires_at, Deadline(np.float32(timeout)).expires_at
    assert type(found) is float
    assert found - expected == pytest.approx(0, abs=1)


def test_fractions_and_weights_have_types_and_ranges():
    assert type(shadow(fraction=np.float32(0.5)).fraction) is float
    for fraction in (1.5, -0.1, math.nan):
        with pytest.raises(ValueError, match="invalid fraction"):
            shadow(fraction=fraction)
    with pytest.raises(TypeError, match="invalid fraction"):
        shadow(fraction=True)
    weights = split(np.int64(5)).weights
    assert (weights, type(weights["b"])) == ({"a": 1, "b": 5}, int)
    assert type(split(np.float32(0.5)).weights["b"]) is float
    json.dumps(split(np.float32(0.5)).weights)
    for weight in (True, np.True_, "5", None):
        with pytest.raises(TypeError, match=r"invalid weight .* of 'b'"):
            split(weight)
    for weight in (math.nan, math.inf, -1, Decimal("NaN"), 10**400):
        with pytest.raises(ValueError, match=r"^invalid weights .*: expected finite numbers"):
            split(weight)
    assert seq2sum.Split({np.int64(3): 1}).weights == {3: 1}
    with pytest.raises(TypeError, match="invalid key 7: expected str or bytes"):
        split(1).choose(7)


def test_channel_options_and_json_contain_python_numbers():
    found = client(
        retry=retry(
            max_attempts=np.int64(3), initial_backoff=np.float32(0.25), max_tokens=np.int8(9)
        ),
        keepalive=seq2sum.KeepAlive(time=np.float32(30), timeout=Fraction(1, 2)),
        channel_options=[("grpc.max_metadata_size", np.int64(9))],
    )._channel_options
    assert {type(value) for _, value in found} == {int, str}
    assert '"initialBackoff": "0.250s"' in dict(found)["grpc.service_config"]
    sizes = {"digits": np.int64(3), "steps": np.int64(7), "vocabulary": np.int64(12)}
    assert json.loads(json.dumps(contract.describe(**sizes)))["extra"]["digits"] == 3


def test_initial_backoff_is_at_most_max_backoff():
    with pytest.raises(ValueError, match=r"initial_backoff 2\.0 is longer than max_backoff 1\.0"):
        retry(initial_backoff=2)


def test_messages_name_the_bounds():
    assert type(integer("x", np.array(3), least=1)) is int
    with pytest.raises(ValueError, match="invalid x 5: expected an integer from 1 to 4"):
        integer("x", 5, least=1, most=4)
    with pytest.raises(ValueError, match="invalid x -1: expected a finite number of seconds, 0 or"):
        seconds("x", -1)
    with pytest.raises(ValueError, match="invalid x 7: expected a share"):
        real("x", 7, most=1, expected="a share")


@pytest.mark.parametrize(
    ("convert", "text"),
    [
        (types.seconds, text)
        for text in ("nan", "inf", "-inf", "-1", "1e9", "1e400", "1_0", "٣", "", "true", "0x1")
    ]
    + [(types.count, text) for text in ("0", "-1", "1.0", "1_0", "٣", "", "inf", "true", " 1")]
    + [(types.version, text) for text in ("-1", "1.0", "1_0", "٣", "", "nan", str(2**63))]
    + [(types.split, f"a={text}") for text in ("nan", "inf", "-1", "1_0", "٣", "", "1e400")],
)
def test_flags_accept_only_numbers(convert, text):
    with pytest.raises(argparse.ArgumentTypeError):
        convert(text)


def test_batch_size_beyond_sys_maxsize_is_refused():
    with client() as unused, pytest.raises(ValueError, match="invalid batch_size"):
        unused.add_stream(["1+1"], batch_size=10**400)
