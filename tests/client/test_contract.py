"""The syntax of questions, version numbers, and the contract as JSON."""

from __future__ import annotations

import json

import pytest
from seq2sum import model_versions
from seq2sum.addition import contract
from support.grammar import EXAMPLES


@pytest.mark.parametrize(("question", "status"), EXAMPLES.items(), ids=lambda v: repr(v)[:30])
def test_status_of_each_question(question, status):
    assert contract.status_of(question, digits=3) is status


def test_operands_are_returned_as_written():
    assert contract.operands(b"007+3 ") == (b"007", b"3")
    assert contract.operands(b"7+") is None


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("1", 1),
        ("0", 0),
        ("00000123", 123),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("-3", None),
        ("+3", None),
        ("1.tmp", None),
        ("v2", None),
        (".publishing-2-77", None),
        (" 1", None),
        ("1\n", None),
        ("٣", None),
        ("9" * 10_000, None),
        ("", None),
    ],
)
def test_version_numbers(name, number):
    assert model_versions.version_number(name) == number


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("1", 1),
        ("0", 0),
        ("00000123", 123),
        ("0" * 200 + "7", 7),
        ("+3", 3),
        ("-3", -3),
        ("-0", 0),
        (" 4", 4),
        ("4 ", 4),
        ("\t+4\r\n\v\f", 4),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("-9223372036854775808", -(2**63)),
        ("-9223372036854775809", None),
        ("9" * 10_000, None),
        ("", None),
        (" ", None),
        ("+", None),
        ("+-3", None),
        ("+ 3", None),
        ("3 4", None),
        ("1.tmp", None),
        ("v2", None),
        (".6", None),
        ("6a", None),
        ("0x6", None),
        ("1_000", None),
        ("\u0661", None),
        ("\u00a04", None),
        ("\x1c4", None),
        (".publishing-2-77", None),
    ],
)
def test_directory_versions_equal_those_of_servers(name, number):
    assert model_versions.directory_version(name) == number


def test_alphabet_is_that_of_the_seed_recipe():
    assert "".join(sorted(contract.ALPHABET)) == contract.ALPHABET
    assert contract.ALPHABET.index(" ") == 0
    assert contract.ALPHABET.index("+") == 1
    assert [contract.ALPHABET.index(d) for d in "0123456789"] == list(range(2, 12))


def test_describe_lists_every_signature_with_shapes():
    described = json.loads(json.dumps(contract.describe(digits=3, steps=7, vocabulary=12)))
    assert (described["contract"], described["model"]) == (2, "seq2sum")
    assert described["extra"] == {
        "digits": 3,
        "alphabet": " +0123456789",
        "status": {"OK": 0, "MALFORMED": 1, "TOO_LONG": 2},
    }
    assert described["rules"] == {"digits": "not_smaller", "alphabet": "equal", "status": "equal"}
    signatures = described["signatures"]
    assert set(signatures) == {"serving_default", "probabilities", "one_hot"}
    assert signatures["serving_default"] == {
        "inputs": {"questions": {"dtype": "DT_STRING", "shape": [-1]}},
        "outputs": {
            "answers": {"dtype": "DT_STRING", "shape": [-1]},
            "confidence": {"dtype": "DT_FLOAT", "shape": [-1]},
            "status": {"dtype": "DT_INT32", "shape": [-1]},
        },
    }
    assert signatures["probabilities"]["outputs"]["probabilities"]["shape"] == [-1, 4, 12]
    assert signatures["one_hot"]["outputs"]["one_hot"]["shape"] == [-1, 7, 12]
