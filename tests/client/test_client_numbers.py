"""Numbers at the door: whatever type they come as, Python's own are kept; nonsense is refused."""

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
from seq2sum._command import values
from seq2sum._deadline import Deadline
from seq2sum._numbers import real, seconds, whole
from seq2sum._servable import Servable
from seq2sum.addition import contract
from seq2sum.testing import FakeServer


def client(**options):
    return seq2sum.Client("localhost:1", **options)


def shadow(**options):
    return seq2sum.Shadow(print, **({"label": "a"} | options))


def split(weight):
    return seq2sum.Split({"a": 1, "b": weight})


def keepalive_every(every):
    return seq2sum.KeepAlive(every=every).every


REAL = {
    "Client.timeout": lambda value: client(timeout=value).timeout,
    "Deadline": lambda value: Deadline(value).moment,
    "Coalesce.delay": lambda value: seq2sum.Coalesce(delay=value).delay,
    "Retry.pause": lambda value: seq2sum.Retry(pause=value, longest_pause=9).pause,
    "Retry.longest_pause": lambda value: seq2sum.Retry(longest_pause=value).longest_pause,
    "Retry.refill": lambda value: seq2sum.Retry(refill=value).refill,
    "KeepAlive.every": keepalive_every,
    "KeepAlive.timeout": lambda value: seq2sum.KeepAlive(timeout=value).timeout,
    "Shadow.timeout": lambda value: shadow(timeout=value).timeout,
    "FakeServer.delay": lambda value: FakeServer(delay=value).delay,
    "SplitFile.every": lambda value: split_file(every=value),
}
"""Every public time and rate, as a function of what is given."""
WHOLE = {
    "Client.in_flight": lambda value: client(in_flight=value).in_flight,
    "version": lambda value: Servable("m", value).version,
    "Coalesce.rows": lambda value: seq2sum.Coalesce(rows=value).rows,
    "Coalesce.calls": lambda value: seq2sum.Coalesce(calls=value).calls,
    "Coalesce.waiting": lambda value: seq2sum.Coalesce(waiting=value).waiting,
    "Retry.attempts": lambda value: seq2sum.Retry(attempts=value).attempts,
    "Retry.budget": lambda value: seq2sum.Retry(budget=value).budget,
    "Shadow.version": lambda value: seq2sum.Shadow(print, version=value).version,
    "Shadow.in_flight": lambda value: shadow(in_flight=value).in_flight,
    "Split.version": lambda value: seq2sum.Split({value: 1}).side(),
    "FakeServer.versions": lambda value: FakeServer(versions=[value]).versions[0],
    "FakeServer.labels": lambda value: FakeServer(labels={"a": value}).labels["a"],
    "FakeServer.digits": lambda value: FakeServer(digits=value).digits,
    "FakeServer.port": lambda value: int(FakeServer(port=value).target.rpartition(":")[2]),
    "FakeServer.fail": lambda value: FakeServer().fail("code", times=value) or 3,
}
"""Every public whole number."""
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
    "version": -(2**63) + 1, "Shadow.version": -(2**63) + 1,  # the server says which there are
    "Split.version": 0, "FakeServer.versions": 0, "FakeServer.labels": 0, "FakeServer.port": 0,
    "FakeServer.fail": 0,
}  # fmt: skip
MOST = {
    "version": 2**63 - 1, "Shadow.version": 2**63 - 1, "Split.version": 2**63 - 1,
    "FakeServer.versions": 2**63 - 1, "FakeServer.labels": 2**63 - 1, "FakeServer.port": 65535,
    "Coalesce.rows": 4096, "Retry.attempts": 5, "Retry.budget": 1000,
}  # fmt: skip
"""Bounds of whole numbers where they are not 1 and nothing."""


@pytest.fixture(autouse=True)
def weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.json").write_text('{"stable": 1}')


def split_file(**options):
    seq2sum.SplitFile("weights.json", **options)
    return float(options["every"])


@pytest.mark.parametrize("given", REALS, ids=lambda value: f"{type(value).__name__}({value})")
@pytest.mark.parametrize("name", REAL)
def test_any_number_is_a_time_and_becomes_a_float(name, given):
    found = REAL[name](given)
    assert type(found) is float
    assert name == "Deadline" or found == 2.0


@pytest.mark.parametrize("given", WHOLES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("name", WHOLE)
def test_any_whole_number_becomes_an_int(name, given):
    found = WHOLE[name](given)
    assert type(found) is int
    assert found == 3


@pytest.mark.parametrize("given", NOT_NUMBERS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("name", [*REAL, *WHOLE])
def test_what_is_not_a_number_is_refused_in_words(name, given):
    if name == "Split.version" and isinstance(given, str | list):
        return  # a label, or nothing that a dictionary could hold
    try:
        hash(given)
    except TypeError:
        if name == "Split.version":
            return
    with pytest.raises(TypeError, match=r"^invalid .+: expected "):
        (REAL | WHOLE)[name](given)


@pytest.mark.parametrize("given", OUT_OF_RANGE.values(), ids=OUT_OF_RANGE)
@pytest.mark.parametrize("name", REAL)
def test_times_out_of_range_are_refused_in_words(name, given):
    with pytest.raises(ValueError, match=r"^invalid .+: expected ") as refused:
        REAL[name](given)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_out_of_range_are_refused_in_words(name):
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
def test_a_fraction_by_its_type_is_no_whole_number(name, value):
    with pytest.raises(TypeError, match=r"^invalid .+: expected a whole number"):
        WHOLE[name](value)


@hypothesis.settings(deadline=None, derandomize=True)
@hypothesis.given(st.floats(0, 1e7, width=32))
def test_a_deadline_is_as_exact_for_numpys_numbers_as_for_pythons(timeout):
    mine, theirs = Deadline(timeout).moment, Deadline(np.float32(timeout)).moment
    assert type(theirs) is float
    assert theirs - mine == pytest.approx(0, abs=1)


def test_shares_and_weights_keep_their_types_and_ranges():
    assert type(shadow(share=np.float32(0.5)).share) is float
    for share in (1.5, -0.1, math.nan):
        with pytest.raises(ValueError, match="invalid share"):
            shadow(share=share)
    with pytest.raises(TypeError, match="invalid share"):
        shadow(share=True)
    weights = split(np.int64(5)).weights
    assert (weights, type(weights["b"])) == ({"a": 1, "b": 5}, int)
    assert type(split(np.float32(0.5)).weights["b"]) is float
    json.dumps(split(np.float32(0.5)).weights)
    for weight in (True, np.True_, "5", None):
        with pytest.raises(TypeError, match="invalid weight of 'b'"):
            split(weight)
    for weight in (math.nan, math.inf, -1, Decimal("NaN"), 10**400):
        with pytest.raises(ValueError, match="weights are 0 or more, finite"):
            split(weight)
    assert seq2sum.Split({np.int64(3): 1}).weights == {3: 1}
    with pytest.raises(TypeError, match="invalid key 7: expected str or bytes"):
        split(1).side(7)


def test_what_goes_to_grpc_and_into_files_is_pythons_own():
    found = client(
        retry=seq2sum.Retry(attempts=np.int64(3), pause=np.float32(0.25), budget=np.int8(9)),
        keepalive=seq2sum.KeepAlive(every=np.float32(30), timeout=Fraction(1, 2)),
        options=[("grpc.max_metadata_size", np.int64(9))],
    )._options
    assert {type(value) for _, value in found} == {int, str}
    assert '"initialBackoff": "0.250s"' in dict(found)["grpc.service_config"]
    sizes = {"digits": np.int64(3), "steps": np.int64(7), "vocabulary": np.int64(12)}
    assert json.loads(json.dumps(contract.describe(**sizes)))["digits"] == 3


def test_pauses_grow():
    with pytest.raises(ValueError, match=r"pauses grow from 2\.0 s and cannot end at 1\.0"):
        seq2sum.Retry(pause=2)


def test_bounds_are_named():
    assert type(whole("x", np.array(3), least=1)) is int
    with pytest.raises(ValueError, match="invalid x 5: expected a whole number from 1 to 4"):
        whole("x", 5, least=1, most=4)
    with pytest.raises(ValueError, match="invalid x -1: expected a finite number of seconds, 0 or"):
        seconds("x", -1)
    with pytest.raises(ValueError, match="invalid x 7: expected a share"):
        real("x", 7, most=1, expected="a share")


@pytest.mark.parametrize(
    ("convert", "text"),
    [
        (values.seconds, text)
        for text in ("nan", "inf", "-inf", "-1", "1e9", "1e400", "1_0", "٣", "", "true", "0x1")
    ]
    + [(values.count, text) for text in ("0", "-1", "1.0", "1_0", "٣", "", "inf", "true", " 1")]
    + [(values.version, text) for text in ("-1", "1.0", "1_0", "٣", "", "nan", str(2**63))]
    + [(values.split, f"a={text}") for text in ("nan", "inf", "-1", "1_0", "٣", "", "1e400")],
)
def test_flags_take_numbers_only(convert, text):
    with pytest.raises(argparse.ArgumentTypeError):
        convert(text)


def test_more_rows_than_fit_a_call_are_refused_by_the_streaming_method():
    with client() as one, pytest.raises(ValueError, match="invalid rows"):
        one.add_stream(["1+1"], rows=10**400)
