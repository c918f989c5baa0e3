"""The gates `contract` and `signatures`: a version has to take and give what callers rely on.

That is the serving contract, and whatever the stable version has on top of it. First by the file
that every version carries, before anything is loaded; then by what the servers say themselves,
since a file can be wrong. Every difference is listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seq2sum import Description, SignatureShape, TensorShape
from seq2sum.addition import contract

from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.measurement import Measurement
from seq2sum_serving.gates.wording import one_line

INTERNAL = "__saved_model"
"""How TensorFlow begins the names of signatures that nobody can ask."""

PLACE = f"assets.extra/{contract.FILE_NAME}"
AFTER_FAILURE = "Callers rely on these: export a version that has them, under a new number"


def judge(candidate: Mapping[str, Any] | None, stable: Mapping[str, Any] | None) -> Measurement:
    """By the files: what was read from `assets.extra/contract.json` of each version.

    Args:
        candidate: None if it has no such file, or one that is not JSON.
        stable: None if there is no stable version, or it has no such file.
    """
    if candidate is None:
        text = f"the version has no {PLACE} that can be read: export it with seq2sum-train export"
        return Measurement("contract", Verdict.FAILED, text)
    described = Description(0, _signatures(candidate))
    found = [
        *_told_otherwise(candidate),
        *_lacking(described),
        *_sizes(candidate, described),
    ]
    if stable is not None:
        found += _shrunk(_digits(candidate), _digits(stable))
        found += _lost(described, Description(0, _signatures(stable)))
    return _result("contract", found, compared=stable is not None, digits=_digits(candidate))


def judge_live(candidate: Description, stable: Description | None) -> Measurement:
    """By the servers: what GetModelMetadata says of each version.

    Args:
        candidate: The version that is to get traffic.
        stable: None if there is no stable version.
    """
    found = _lacking(candidate)
    if stable is not None:
        found += _shrunk(candidate.digits, stable.digits)
        found += _lost(candidate, stable)
    return _result("signatures", found, compared=stable is not None, digits=candidate.digits)


def _result(gate: str, found: list[str], *, compared: bool, digits: int | None) -> Measurement:
    differences = list(dict.fromkeys(found))  # both comparisons may find the same
    figures = {"differences": len(differences), "digits": digits}
    if differences:
        text = f"{'; '.join(differences)}. {AFTER_FAILURE}"
        return Measurement(gate, Verdict.FAILED, text, figures)
    beside = "and with stable" if compared else "(no stable version to compare with)"
    text = f"in keeping with contract {contract.CONTRACT_VERSION} {beside}; {digits} digits"
    return Measurement(gate, Verdict.SUCCESSFUL, text, figures)


def _told_otherwise(parsed: Mapping[str, Any]) -> list[str]:
    """What the file says of itself that the contract says otherwise."""
    wanted = contract.describe(digits=1, steps=1, vocabulary=1)
    found = [
        f"{key} is {one_line(repr(parsed.get(key)))} and has to be {wanted[key]!r}"
        for key in ("contract", "model", "alphabet", "status")
        if parsed.get(key) != wanted[key]
    ]
    if _digits(parsed) is None:
        found.append(f"digits is {one_line(repr(parsed.get('digits')))} and has to be a number")
    return found


def _lacking(described: Description) -> list[str]:
    """What the contract asks for and is not there, or is there with another rank."""
    found = [f"{text} is missing" for text in described.lacks]
    for signature in contract.SIGNATURES:
        there = described.signatures.get(signature.name)
        if there is None:
            continue
        found += [
            *_other_ranks(there.inputs, (contract.QUESTIONS,), signature.name),
            *_other_ranks(there.outputs, signature.outputs, signature.name),
            *_asks_for_more(there.inputs, {contract.QUESTIONS.name}, signature.name),
        ]
    return found


def _other_ranks(
    there: Mapping[str, TensorShape], wanted: tuple[contract.Tensor, ...], signature: str
) -> list[str]:
    found = []
    for tensor in wanted:
        shape = there[tensor.name].shape if tensor.name in there else None
        if shape is not None and len(shape) != len(tensor.shape):
            place = f"{tensor.name} of signature {signature}"
            found.append(f"{place} has rank {len(shape)}, not {len(tensor.shape)}")
    return found


def _asks_for_more(there: Mapping[str, TensorShape], known: set[str], signature: str) -> list[str]:
    """Inputs that callers of today do not send: their calls would fail."""
    return [
        f"signature {signature} asks for input {one_line(name)}, which callers do not send"
        for name in sorted(set(there) - known)
    ]


def _sizes(parsed: Mapping[str, Any], described: Description) -> list[str]:
    """Whether answers are as long as the digits in the file want them."""
    digits, length = _digits(parsed), described.digits
    if digits is None or length is None or digits == length:
        return []
    return [f"digits is {digits}, and the answers are long enough for {length}"]


def _shrunk(digits: int | None, before: int | None) -> list[str]:
    if digits is None or before is None or digits >= before:
        return []
    return [f"it takes {digits} digits where stable takes {before}"]


def _lost(candidate: Description, stable: Description) -> list[str]:
    """What stable has and the candidate has not, or has with another dtype or rank."""
    found = []
    for name, before in stable.signatures.items():
        if name.startswith(INTERNAL):
            continue
        now = candidate.signatures.get(name)
        if now is None:
            found.append(f"signature {one_line(name)} is missing")
            continue
        for there, was in ((now.inputs, before.inputs), (now.outputs, before.outputs)):
            found += [
                text
                for alias, tensor in was.items()
                for text in _changed(there.get(alias), tensor, f"{alias} of signature {name}")
            ]
        found += _asks_for_more(now.inputs, set(before.inputs), name)
    return found


def _changed(now: TensorShape | None, before: TensorShape, place: str) -> list[str]:
    place = one_line(place)
    if now is None:
        return [f"{before.dtype} {place} is missing"]
    if now.dtype != before.dtype:
        return [f"{place} is {one_line(now.dtype)}, and {before.dtype} in stable"]
    if now.shape is None or before.shape is None or len(now.shape) == len(before.shape):
        return []
    return [f"{place} has rank {len(now.shape)}, and {len(before.shape)} in stable"]


def _digits(parsed: Mapping[str, Any]) -> int | None:
    digits = parsed.get("digits")
    if not isinstance(digits, int) or isinstance(digits, bool) or digits < 1:
        return None
    return digits


def _signatures(parsed: Mapping[str, Any]) -> dict[str, SignatureShape]:
    """The file's signatures; what is not written as it should be counts as not there."""
    return {
        name: SignatureShape(_tensors(entry, "inputs"), _tensors(entry, "outputs"))
        for name, entry in _mapping(parsed.get("signatures")).items()
    }


def _tensors(signature: Any, group: str) -> dict[str, TensorShape]:
    found = {}
    for name, tensor in _mapping(_mapping(signature).get(group)).items():
        dtype, shape = (_mapping(tensor).get(key) for key in ("dtype", "shape"))
        sizes = tuple(shape) if isinstance(shape, list) else (None,)
        if isinstance(dtype, str) and all(type(size) is int for size in sizes):
            found[name] = TensorShape(dtype, sizes)
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
