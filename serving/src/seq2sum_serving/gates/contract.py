"""Gates `contract` and `signatures`: the version has to take and return what callers rely on.

Callers rely on the serving contract, and on whatever else the stable version has. Before the load,
`contract` compares the contract files of the versions; after the load, `signatures` compares what
the servers report, since a file can be wrong. The measurement lists every difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seq2sum import Description, SignatureSpec, TensorSpec
from seq2sum.addition import contract

from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.deployment.plain_text import one_line
from seq2sum_serving.gates.measurement import Measurement

INTERNAL_PREFIX = "__saved_model"
"""Prefix of TensorFlow's own signatures, such as `__saved_model_init_op`, which no caller uses."""

FILE = f"assets.extra/{contract.FILE_NAME}"
ADVICE = "Callers rely on these: export a version that has them, under a new number"


def judge(candidate: Mapping[str, Any] | None, stable: Mapping[str, Any] | None) -> Measurement:
    """Judges the contract files of the versions.

    Args:
        candidate: Parsed `assets.extra/contract.json` of the candidate; None if it has none.
        stable: The same of the stable version; None if it has none.
    """
    if candidate is None:
        message = f"the version has no {FILE}: export it with seq2sum-train export"
        return Measurement("contract", Verdict.FAILED, message)
    described = Description(0, _signatures(candidate))
    differences = [
        *_contradictions(candidate),
        *_missing(described),
        *_digits_mismatch(candidate, described),
    ]
    if stable is not None:
        differences += _fewer_digits(_digits(candidate), _digits(stable))
        differences += _lost(described, Description(0, _signatures(stable)))
    digits = _digits(candidate)
    return _measurement("contract", differences, compared=stable is not None, digits=digits)


def judge_live(candidate: Description, stable: Description | None) -> Measurement:
    """Judges the signatures that a server returns from GetModelMetadata.

    Args:
        candidate: The version that is to get traffic.
        stable: None without a stable version.
    """
    differences = _missing(candidate)
    if stable is not None:
        differences += _fewer_digits(candidate.digits, stable.digits)
        differences += _lost(candidate, stable)
    compared = stable is not None
    return _measurement("signatures", differences, compared=compared, digits=candidate.digits)


def _measurement(
    gate: str, differences: list[str], *, compared: bool, digits: int | None
) -> Measurement:
    differences = list(dict.fromkeys(differences))  # both comparisons may find the same one
    values = {"differences": len(differences), "digits": digits}
    if differences:
        message = f"{'; '.join(differences)}. {ADVICE}"
        return Measurement(gate, Verdict.FAILED, message, values)
    against = "and to stable" if compared else "(no stable version to compare with)"
    message = f"conforms to contract {contract.CONTRACT_VERSION} {against}; {digits} digits"
    return Measurement(gate, Verdict.SUCCESSFUL, message, values)


def _contradictions(parsed: Mapping[str, Any]) -> list[str]:
    """Returns the fields of a contract file that differ from the serving contract."""
    expected = contract.describe(digits=1, steps=1, vocabulary=1)
    found = [
        f"{key} is {one_line(repr(parsed.get(key)))}, expected {expected[key]!r}"
        for key in ("contract", "model", "alphabet", "status")
        if parsed.get(key) != expected[key]
    ]
    if _digits(parsed) is None:
        found.append(f"digits is {one_line(repr(parsed.get('digits')))}, expected a number")
    return found


def _missing(described: Description) -> list[str]:
    """Returns what the contract requires and the version lacks, or has with another rank."""
    found = [f"{text} is missing" for text in described.missing]
    for signature in contract.SIGNATURES:
        shapes = described.signatures.get(signature.name)
        if shapes is not None:
            found += [
                *_other_ranks(shapes.inputs, (contract.QUESTIONS,), signature.name),
                *_other_ranks(shapes.outputs, signature.outputs, signature.name),
                *_new_inputs(shapes.inputs, {contract.QUESTIONS.name}, signature.name),
            ]
    return found


def _other_ranks(
    shapes: Mapping[str, TensorSpec], expected: tuple[contract.Tensor, ...], signature: str
) -> list[str]:
    found = []
    for tensor in expected:
        shape = shapes[tensor.name].shape if tensor.name in shapes else None
        if shape is not None and len(shape) != len(tensor.shape):
            found.append(
                f"{tensor.name} of signature {signature} has rank {len(shape)}, expected "
                f"{len(tensor.shape)}"
            )
    return found


def _new_inputs(shapes: Mapping[str, TensorSpec], known: set[str], signature: str) -> list[str]:
    """Returns inputs that current callers do not send: their calls would fail."""
    return [
        f"signature {signature} requires input {one_line(name)}, which callers do not send"
        for name in sorted(set(shapes) - known)
    ]


def _digits_mismatch(parsed: Mapping[str, Any], described: Description) -> list[str]:
    digits, digits_of_answers = _digits(parsed), described.digits
    if digits is None or digits_of_answers is None or digits == digits_of_answers:
        return []
    return [f"digits is {digits}, but the answers are long enough for {digits_of_answers}"]


def _fewer_digits(digits: int | None, before: int | None) -> list[str]:
    if digits is None or before is None or digits >= before:
        return []
    return [f"it takes {digits} digits, and stable takes {before}"]


def _lost(candidate: Description, stable: Description) -> list[str]:
    """Returns what stable has and the candidate lacks, or has with another dtype or rank."""
    found = []
    for name, before in stable.signatures.items():
        if name.startswith(INTERNAL_PREFIX):
            continue
        now = candidate.signatures.get(name)
        if now is None:
            found.append(f"signature {one_line(name)} is missing")
            continue
        for shapes, expected in ((now.inputs, before.inputs), (now.outputs, before.outputs)):
            for alias, tensor in expected.items():
                found += _changed(shapes.get(alias), tensor, f"{alias} of signature {name}")
        found += _new_inputs(now.inputs, set(before.inputs), name)
    return found


def _changed(now: TensorSpec | None, before: TensorSpec, tensor: str) -> list[str]:
    tensor = one_line(tensor)
    if now is None:
        return [f"{before.dtype} {tensor} is missing"]
    if now.dtype != before.dtype:
        return [f"{tensor} is {one_line(now.dtype)}, and {before.dtype} in stable"]
    if now.shape is None or before.shape is None or len(now.shape) == len(before.shape):
        return []
    return [f"{tensor} has rank {len(now.shape)}, and {len(before.shape)} in stable"]


def _digits(parsed: Mapping[str, Any]) -> int | None:
    digits = parsed.get("digits")
    if not isinstance(digits, int) or isinstance(digits, bool) or digits < 1:
        return None
    return digits


def _signatures(parsed: Mapping[str, Any]) -> dict[str, SignatureSpec]:
    """Returns the signatures in a contract file, without entries that are malformed."""
    return {
        name: SignatureSpec(_tensors(entry, "inputs"), _tensors(entry, "outputs"))
        for name, entry in _mapping(parsed.get("signatures")).items()
    }


def _tensors(signature: Any, group: str) -> dict[str, TensorSpec]:
    found = {}
    for name, tensor in _mapping(_mapping(signature).get(group)).items():
        dtype, shape = (_mapping(tensor).get(key) for key in ("dtype", "shape"))
        sizes = tuple(shape) if isinstance(shape, list) else (None,)
        if isinstance(dtype, str) and all(type(size) is int for size in sizes):
            found[name] = TensorSpec(dtype, sizes)
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
