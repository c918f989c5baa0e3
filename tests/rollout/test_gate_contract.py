"""Gates `contract` and `signatures`: a version keeps what callers of the stable version use."""

from __future__ import annotations

import copy
import json

import msgspec
import pytest
from seq2sum import ModelMetadata, SignatureSpec
from seq2sum.addition import contract as addition
from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.contract import Contracts, judge, judge_live
from seq2sum_serving.gates.contract_file import (
    FILE,
    Contract,
    described,
    read,
    read_raw,
    signatures_of,
)

REMOVED = object()
X = {"dtype": "DT_FLOAT", "shape": [-1, 3]}
CONTENT = {
    "contract": 2,
    "model": "price",
    "signatures": {
        "serving_default": {
            "inputs": {"x": X, "seed": {"dtype": "DT_INT64", "shape": [], "optional": True}},
            "outputs": {"y": {"dtype": "DT_FLOAT", "shape": [-1]}},
        },
    },
    "extra": {"classes": 3, "names": ["a", "b"], "unit": "€"},
    "rules": {"classes": "not_smaller", "names": "equal"},
}


def content(**changes):
    """A contract file, with values changed by path: `signatures__one=REMOVED`."""
    parsed = copy.deepcopy(CONTENT)
    for path, value in changes.items():
        *parents, last = path.split("__")
        table = parsed
        for key in parents:
            table = table[key]
        if value is REMOVED:
            del table[last]
        else:
            table[last] = copy.deepcopy(value)
    return parsed


def contract(**changes):
    return msgspec.convert(content(**changes), Contract)


def reported(parsed, version=1):
    """Returns the metadata that a server reports for a version with this contract."""
    internal = {"__saved_model_init_op": SignatureSpec({}, {})}
    return ModelMetadata(version, signatures_of(parsed) | internal)


DEFAULT = "signatures__serving_default"
MORE = {"signatures__more": {"inputs": {"x": X}, "outputs": {"z": X}}}
SIGNATURES = {
    "equal": ({}, {}, []),
    "additional signature": (MORE, {}, []),
    "missing signature": ({}, MORE, ["signature more is missing"]),
    "additional output": ({f"{DEFAULT}__outputs__seconds": X}, {}, []),
    "missing output": (
        {},
        {f"{DEFAULT}__outputs__seconds": X},
        ["DT_FLOAT seconds of signature serving_default is missing"],
    ),
    "missing input": (
        {f"{DEFAULT}__inputs__seed": REMOVED},
        {},
        ["DT_INT64 seed of signature serving_default is missing"],
    ),
    "additional input": (
        {f"{DEFAULT}__inputs__more": X},
        {},
        ["signature serving_default requires input more, which callers do not send"],
    ),
    "additional optional input": ({f"{DEFAULT}__inputs__more": X | {"optional": True}}, {}, []),
    "input that is required now": (
        {f"{DEFAULT}__inputs__seed__optional": False},
        {},
        ["signature serving_default requires input seed, which callers do not send"],
    ),
    "input that is optional now": ({f"{DEFAULT}__inputs__x__optional": True}, {}, []),
    "another dtype": (
        {f"{DEFAULT}__outputs__y__dtype": "DT_DOUBLE"},
        {},
        ["y of signature serving_default is DT_DOUBLE, and DT_FLOAT in "],
    ),
    "another rank": (
        {f"{DEFAULT}__inputs__x__shape": [-1]},
        {},
        ["x of signature serving_default has rank 1, and 2 in "],
    ),
    "another size": ({f"{DEFAULT}__inputs__x__shape": [-1, 4]}, {}, []),
    "unknown rank": ({f"{DEFAULT}__inputs__x__shape": None}, {}, []),
    "known rank": ({}, {f"{DEFAULT}__inputs__x__shape": None}, []),
    "several differences": (
        {f"{DEFAULT}__outputs__y__dtype": "DT_HALF"},
        MORE,
        ["y of signature serving_default is DT_HALF", "signature more is missing"],
    ),
}


def check(result, gate, expected):
    assert result.gate == gate
    assert result.verdict is (Verdict.FAILED if expected else Verdict.SUCCESSFUL)
    assert result.values["differences"] == len(expected)
    for difference in expected:
        assert difference in result.message
    assert "\n" not in result.message
    assert ("under a new number" in result.message) == bool(expected)


@pytest.mark.parametrize(("candidate", "stable", "expected"), SIGNATURES.values(), ids=SIGNATURES)
def test_contract_files_and_reported_signatures(candidate, stable, expected):
    now, before = contract(**candidate), contract(**stable)
    check(judge(Contracts(now, before, 1)), "contract", expected)
    live = reported(now, 2), reported(before)
    for contracts in (Contracts(now, before, 1), Contracts(None, before, 1), Contracts(None)):
        check(judge_live(*live, contracts), "signatures", expected)


RULES = {
    "larger": ({"extra__classes": 4}, []),
    "a float": ({"extra__classes": 3.5}, []),
    "smaller": ({"extra__classes": 2}, ["classes is 2, and 3 in version 1 (rule not_smaller)"]),
    "no number": ({"extra__classes": "4"}, ["classes is '4', and 3 in version 1"]),
    "a bool": ({"extra__classes": True}, ["classes is True, and 3 in version 1"]),
    "missing": ({"extra__classes": REMOVED}, ["classes is None, and 3 in version 1"]),
    "another value": ({"extra__names": ["b", "a"]}, ["names is ['b', 'a'], and ['a', 'b'] in"]),
    "a value without a rule": ({"extra__unit": "$"}, []),
    "rules of stable, not of the version": (
        {"rules": {}, "extra": {}},
        ["classes is None", "names is None"],
    ),
    "another model": ({"model": "prices"}, ["model is 'prices', and 'price' in version 1"]),
}


@pytest.mark.parametrize(("candidate", "expected"), RULES.values(), ids=RULES)
def test_rules_of_the_stable_version_bind_the_candidate(candidate, expected):
    candidate = {"rules": {}, **candidate}
    check(judge(Contracts(contract(**candidate), contract(), 1)), "contract", expected)


def test_versions_without_contract():
    own = contract()
    for contracts, verdict, text in (
        (Contracts(None), Verdict.INCONCLUSIVE, "`seq2sum-rollout contract record`"),
        (Contracts(own), Verdict.SUCCESSFUL, "no version before has assets.extra/contract.json"),
        (Contracts(None, own, 4), Verdict.INCONCLUSIVE, "rules of version 4 need its values of cl"),
        (Contracts(None, own, 4), Verdict.INCONCLUSIVE, "add the keys to `extra`"),
        (Contracts(None, contract(rules={}), 4), Verdict.SKIPPED, "the contract of version 4"),
    ):
        result = judge(contracts)
        assert (result.gate, result.verdict) == ("contract", verdict)
        assert text in result.message


def test_server_that_reports_less_than_the_contract_of_the_version():
    for contracts in (Contracts(contract(**MORE)), Contracts(None, contract(**MORE), 1)):
        result = judge_live(reported(contract()), reported(contract()), contracts)
        check(result, "signatures", ["signature more is missing"])


def test_contract_of_addition_has_rules():
    content = addition.describe(digits=3, steps=7, vocabulary=13)
    before = msgspec.convert(content, Contract)
    content["extra"]["digits"] = 2
    result = judge(Contracts(msgspec.convert(content, Contract), before, 7))
    check(result, "contract", ["digits is 2, and 3 in version 7 (rule not_smaller)"])


def write(folder, text):
    path = folder / FILE
    path.parent.mkdir()
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "truncated"),
        ("[" * 100_000, "invalid contract"),
        ("[]", "Expected `object`, got `array`"),
        ("{}", "contract is None, expected 2"),
        (json.dumps(content(contract=1)), "contract is 1, expected 2"),
        (json.dumps(content(model=REMOVED)), "missing required field `model`"),
        (json.dumps(content(signatures=[])), "Expected `object`, got `array` - at `$.signatures`"),
        (json.dumps(content(signatures__serving_default__inputs__x=3)), "$.signatures"),
        (json.dumps(content(signatures__serving_default__inputs__x__shape=["rows"])), "`int`"),
        (json.dumps(content(rules__classes="larger")), "Invalid enum value 'larger'"),
        (json.dumps(content(rules__size="equal")), "rules has 'size', which needs a value"),
        (json.dumps(content(rules__names="not_smaller")), "rules has 'names', which needs a num"),
    ],
)
def test_invalid_contract_file_is_reported(tmp_path, text, expected):
    path = write(tmp_path, text)
    with pytest.raises(Failed) as caught:
        read(tmp_path)
    assert expected in str(caught.value)
    assert f"invalid contract {path}: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_contract_file_that_is_missing_or_a_folder(tmp_path):
    assert read(tmp_path) is None
    (tmp_path / FILE).mkdir(parents=True)
    with pytest.raises(Failed, match="Is a directory"):
        read(tmp_path)


def test_described_contract_is_read_as_it_was_reported(tmp_path):
    metadata = reported(contract(**{f"{DEFAULT}__outputs__y__shape": None}))
    write(tmp_path, json.dumps(described("price", metadata) | {"run": "kept"}))
    assert read_raw(tmp_path / FILE)["run"] == "kept"
    parsed = read(tmp_path)
    assert (parsed.model, parsed.extra, parsed.rules) == ("price", {}, {})
    assert list(parsed.signatures) == ["serving_default"]
    assert reported(parsed) == metadata
