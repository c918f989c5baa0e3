"""Gates `contract` and `signatures`: a version against the contract and the stable version."""

from __future__ import annotations

import copy

import pytest
from seq2sum import Description, SignatureSpec, TensorSpec
from seq2sum.addition import contract
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.contract import judge, judge_live

REMOVED = object()


def contract_file(digits=3, steps=7, **changes):
    """A contract.json, with values changed by path: `signatures__one_hot=REMOVED`."""
    parsed = copy.deepcopy(contract.describe(digits=digits, steps=steps, vocabulary=13))
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


def reported(parsed):
    """Returns the metadata that a server reports for a version with this file."""

    def tensors(entries):
        return {name: TensorSpec(e["dtype"], tuple(e["shape"])) for name, e in entries.items()}

    signatures = {
        name: SignatureSpec(tensors(entry["inputs"]), tensors(entry["outputs"]))
        for name, entry in parsed["signatures"].items()
    }
    return Description(1, {**signatures, "__saved_model_init_op": SignatureSpec({}, {})})


X = {"dtype": "DT_INT64", "shape": [-1]}
MORE = {
    "signatures__mine": {
        "inputs": {"questions": {"dtype": "DT_STRING", "shape": [-1]}},
        "outputs": {"x": X},
    }
}
SERVING = "signatures__serving_default"
CASES = {
    "no stable version": ({}, None, []),
    "equal": ({}, {}, []),
    "more digits": ({"digits": 4}, {}, []),
    "fewer digits": ({"digits": 2}, {}, ["it takes 2 digits, and stable takes 3"]),
    "another number of steps": ({"steps": 9}, {}, []),
    "additional signature": (MORE, {}, []),
    "missing signature of stable": ({}, MORE, ["signature mine is missing"]),
    "additional output": ({f"{SERVING}__outputs__seconds": X}, {}, []),
    "missing output of stable": (
        {},
        {f"{SERVING}__outputs__seconds": X},
        ["DT_INT64 seconds of signature serving_default is missing"],
    ),
    "additional input": (
        {f"{SERVING}__inputs__seed": X},
        {},
        ["signature serving_default requires input seed, which callers do not send"],
    ),
    "missing signature": ({"signatures__one_hot": REMOVED}, {}, ["signature one_hot is missing"]),
    "several differences": (
        {"signatures__one_hot": REMOVED, "signatures__probabilities__outputs__token_ids": REMOVED},
        None,
        [
            "DT_INT32 token_ids of signature probabilities is missing",
            "signature one_hot is missing",
        ],
    ),
    "another dtype than the contract's": (
        {f"{SERVING}__outputs__confidence__dtype": "DT_DOUBLE"},
        None,
        ["DT_FLOAT confidence of signature serving_default is missing"],
    ),
    "another dtype than stable's": (
        MORE | {"signatures__mine__outputs__x": {"dtype": "DT_FLOAT", "shape": [-1]}},
        MORE,
        ["x of signature mine is DT_FLOAT, and DT_INT64 in stable"],
    ),
    "another rank than the contract's": (
        {f"{SERVING}__outputs__answers__shape": [-1, 1]},
        None,
        ["answers of signature serving_default has rank 2, expected 1"],
    ),
    "another rank of the input": (
        {f"{SERVING}__inputs__questions__shape": []},
        None,
        ["questions of signature serving_default has rank 0, expected 1"],
    ),
    "another rank than stable's": (
        MORE | {"signatures__mine__outputs__x": {"dtype": "DT_INT64", "shape": [-1, 2]}},
        MORE,
        ["x of signature mine has rank 2, and 1 in stable"],
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


@pytest.mark.parametrize(("candidate", "stable", "expected"), CASES.values(), ids=CASES)
def test_contract_files_and_reported_signatures(candidate, stable, expected):
    file = contract_file(**candidate)
    stable_file = None if stable is None else contract_file(**stable)
    check(judge(file, stable_file), "contract", expected)
    result = judge_live(reported(file), None if stable is None else reported(stable_file))
    check(result, "signatures", expected)


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        (contract_file(contract=2), "contract is 2, expected 1"),
        (contract_file(contract=REMOVED), "contract is None, expected 1"),
        (contract_file(model="other"), "model is 'other', expected 'seq2sum'"),
        (contract_file(alphabet="0123456789+ "), "alphabet is '0123456789+ ', expected"),
        (contract_file(status={"OK": 1}), "status is {'OK': 1}, expected"),
        (
            contract_file(digits=5) | {"digits": 3},
            "digits is 3, but the answers are long enough for 5",
        ),
        (contract_file() | {"digits": "3"}, "digits is '3', expected a number"),
        (contract_file() | {"digits": True}, "digits is True, expected a number"),
        (contract_file() | {"signatures": []}, "signature serving_default is missing"),
        (
            contract_file(signatures__one_hot=3),
            "DT_STRING questions of signature one_hot is missing",
        ),
        (
            contract_file(signatures__one_hot__inputs=[1]),
            "DT_STRING questions of signature one_hot",
        ),
        (
            contract_file(signatures__one_hot__inputs__questions__shape=["rows"]),
            "DT_STRING questions of signature one_hot is missing",
        ),
        ({}, "signature probabilities is missing"),
    ],
)
def test_invalid_contract_file_fails(candidate, expected):
    result = judge(candidate, contract_file())
    assert result.verdict is Verdict.FAILED
    assert expected in result.message


def test_missing_contract_file_fails():
    result = judge(None, contract_file())
    assert result.verdict is Verdict.FAILED
    assert "no assets.extra/contract.json" in result.message


def test_stable_version_without_valid_contract_adds_no_requirement():
    for stable in (None, {}, {"signatures": 3, "digits": None}):
        assert judge(contract_file(), stable).verdict is Verdict.SUCCESSFUL


def test_internal_signature_of_stable_may_be_missing():
    without = Description(
        2, {n: s for n, s in reported(contract_file()).signatures.items() if "__" not in n}
    )
    assert judge_live(without, reported(contract_file())).verdict is Verdict.SUCCESSFUL


def test_unknown_rank_is_not_another_rank():
    open_rank = reported(contract_file())
    signature = open_rank.signatures["serving_default"]
    signature.outputs["answers"] = TensorSpec("DT_STRING", None)
    assert judge_live(open_rank, reported(contract_file())).verdict is Verdict.SUCCESSFUL
    assert judge_live(reported(contract_file()), open_rank).verdict is Verdict.SUCCESSFUL
