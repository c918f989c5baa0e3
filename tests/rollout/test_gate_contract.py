"""What a version takes and gives, against the contract and against the stable version."""

from __future__ import annotations

import copy

import pytest
from seq2sum import Description, SignatureShape, TensorShape
from seq2sum.addition import contract
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.contract import judge, judge_live

REMOVED = object()


def written(digits=3, steps=7, **changes):
    """A contract.json, with values changed by path: `signatures__one_hot=REMOVED`."""
    parsed = copy.deepcopy(contract.describe(digits=digits, steps=steps, vocabulary=13))
    for path, value in changes.items():
        *way, last = path.split("__")
        place = parsed
        for key in way:
            place = place[key]
        if value is REMOVED:
            del place[last]
        else:
            place[last] = copy.deepcopy(value)
    return parsed


def told(parsed):
    """What a server says of a version with such a file."""

    def tensors(entries):
        return {name: TensorShape(e["dtype"], tuple(e["shape"])) for name, e in entries.items()}

    signatures = {
        name: SignatureShape(tensors(entry["inputs"]), tensors(entry["outputs"]))
        for name, entry in parsed["signatures"].items()
    }
    return Description(1, {**signatures, "__saved_model_init_op": SignatureShape({}, {})})


TENSOR = {"dtype": "DT_INT64", "shape": [-1]}
MORE = {
    "signatures__mine": {
        "inputs": {"questions": {"dtype": "DT_STRING", "shape": [-1]}},
        "outputs": {"x": TENSOR},
    }
}

BOTH = [
    pytest.param(written(), None, [], id="no stable version"),
    pytest.param(written(), written(), [], id="the same"),
    pytest.param(written(digits=4), written(), [], id="digits may grow"),
    pytest.param(
        written(digits=2), written(), ["it takes 2 digits where stable takes 3"], id="not shrink"
    ),
    pytest.param(written(steps=9), written(), [], id="sizes of a version's own"),
    pytest.param(written(**MORE), written(), [], id="a signature more"),
    pytest.param(written(), written(**MORE), ["signature mine is missing"], id="a signature less"),
    pytest.param(
        written(signatures__serving_default__outputs__seconds=TENSOR),
        written(),
        [],
        id="an output more",
    ),
    pytest.param(
        written(),
        written(signatures__serving_default__outputs__seconds=TENSOR),
        ["DT_INT64 seconds of signature serving_default is missing"],
        id="an output less",
    ),
    pytest.param(
        written(signatures__serving_default__inputs__seed=TENSOR),
        written(),
        ["signature serving_default asks for input seed, which callers do not send"],
        id="an input more",
    ),
    pytest.param(
        written(signatures__one_hot=REMOVED),
        written(),
        ["signature one_hot is missing"],
        id="one missing",
    ),
    pytest.param(
        written(signatures__one_hot=REMOVED, signatures__probabilities__outputs__token_ids=REMOVED),
        None,
        [
            "DT_INT32 token_ids of signature probabilities is missing",
            "signature one_hot is missing",
        ],
        id="every difference is listed",
    ),
    pytest.param(
        written(signatures__serving_default__outputs__confidence__dtype="DT_DOUBLE"),
        None,
        ["DT_FLOAT confidence of signature serving_default is missing"],
        id="another dtype than the contract's",
    ),
    pytest.param(
        written(**MORE, signatures__mine__outputs__x={"dtype": "DT_FLOAT", "shape": [-1]}),
        written(**MORE),
        ["x of signature mine is DT_FLOAT, and DT_INT64 in stable"],
        id="another dtype than stable's",
    ),
    pytest.param(
        written(signatures__serving_default__outputs__answers__shape=[-1, 1]),
        None,
        ["answers of signature serving_default has rank 2, not 1"],
        id="another rank than the contract's",
    ),
    pytest.param(
        written(signatures__serving_default__inputs__questions__shape=[]),
        None,
        ["questions of signature serving_default has rank 0, not 1"],
        id="another rank of the input",
    ),
    pytest.param(
        written(**MORE, signatures__mine__outputs__x={"dtype": "DT_INT64", "shape": [-1, 2]}),
        written(**MORE),
        ["x of signature mine has rank 2, and 1 in stable"],
        id="another rank than stable's",
    ),
]


def check(result, gate, expected):
    assert result.gate == gate
    assert result.verdict is (Verdict.FAILED if expected else Verdict.SUCCESSFUL)
    assert result.values["differences"] == len(expected)
    for difference in expected:
        assert difference in result.message
    assert "\n" not in result.message
    assert ("under a new number" in result.message) == bool(expected)


@pytest.mark.parametrize(("candidate", "stable", "expected"), BOTH)
def test_the_files_are_compared(candidate, stable, expected):
    check(judge(candidate, stable), "contract", expected)


@pytest.mark.parametrize(("candidate", "stable", "expected"), BOTH)
def test_the_servers_words_are_compared(candidate, stable, expected):
    result = judge_live(told(candidate), told(stable) if stable else None)
    check(result, "signatures", expected)


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        (written(contract=2), "contract is 2 and has to be 1"),
        (written(contract=REMOVED), "contract is None and has to be 1"),
        (written(model="other"), "model is 'other' and has to be 'seq2sum'"),
        (written(alphabet="0123456789+ "), "alphabet is '0123456789+ ' and has to be"),
        (written(status={"OK": 1}), "status is {'OK': 1} and has to be"),
        (written(digits=5) | {"digits": 3}, "digits is 3, and the answers are long enough for 5"),
        (written() | {"digits": "3"}, "digits is '3' and has to be a number"),
        (written() | {"digits": True}, "digits is True and has to be a number"),
        (written() | {"signatures": []}, "signature serving_default is missing"),
        (written(signatures__one_hot=3), "DT_STRING questions of signature one_hot is missing"),
        (written(signatures__one_hot__inputs=[1]), "DT_STRING questions of signature one_hot"),
        (
            written(signatures__one_hot__inputs__questions__shape=["rows"]),
            "DT_STRING questions of signature one_hot is missing",
        ),
        ({}, "signature probabilities is missing"),
    ],
)
def test_a_file_that_says_something_else_fails(candidate, expected):
    result = judge(candidate, written())
    assert result.verdict is Verdict.FAILED
    assert expected in result.message


def test_a_version_without_the_file_fails():
    result = judge(None, written())
    assert result.verdict is Verdict.FAILED
    assert "no assets.extra/contract.json" in result.message


def test_a_stable_version_without_a_readable_contract_asks_for_nothing_more():
    for stable in (None, {}, {"signatures": 3, "digits": None}):
        assert judge(written(), stable).verdict is Verdict.SUCCESSFUL


def test_what_only_tensorflow_knows_is_not_missed():
    without = Description(2, {n: s for n, s in told(written()).signatures.items() if "__" not in n})
    assert judge_live(without, told(written())).verdict is Verdict.SUCCESSFUL


def test_an_open_rank_is_no_other_rank():
    open_rank = told(written())
    signature = open_rank.signatures["serving_default"]
    signature.outputs["answers"] = TensorShape("DT_STRING", None)
    assert judge_live(open_rank, told(written())).verdict is Verdict.SUCCESSFUL
    assert judge_live(told(written()), open_rank).verdict is Verdict.SUCCESSFUL
