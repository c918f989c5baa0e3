"""Gates `contract` and `signatures`: a version has to keep what callers of the stable one use.

Before the load, `contract` compares the contract files of the versions; after the load,
`signatures` compares what the servers report, since a file can be wrong. The measurement lists
every difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seq2sum import ModelMetadata, SignatureSpec, TensorSpec

from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.deployment.plain_text import one_line
from seq2sum_serving.gates.contract_file import (
    FILE,
    RECORD,
    Contract,
    is_number,
    signatures_of,
    used_signatures,
)
from seq2sum_serving.gates.measurement import Measurement

GATE = "contract"
ADVICE = "Callers rely on these: export a version that has them, under a new number"


@dataclass(frozen=True, slots=True)
class Contracts:
    """The contracts that gates compare."""

    candidate: Contract | None
    """That of the candidate; None if it has none."""
    stable: Contract | None = None
    """That of the stable version, or else of the nearest version before it; None without any."""
    version: int = 0
    """The version whose contract `stable` is."""


def judge(contracts: Contracts) -> Measurement:
    """Judges the contracts of the versions, before the load."""
    candidate, stable = contracts.candidate, contracts.stable
    if candidate is None and stable is None:
        message = f"neither the version nor one in service before it has {FILE}: {RECORD}"
        return Measurement(GATE, Verdict.INCONCLUSIVE, message)
    if stable is None:
        message = f"no version before has {FILE} to compare with: see gate signatures"
        return Measurement(GATE, Verdict.SUCCESSFUL, message, {"differences": 0})
    rules = ", ".join(sorted(stable.rules))
    of = f"version {contracts.version}"
    if candidate is None and rules:
        message = (
            f"it has no {FILE}, and the rules of {of} need its values of {rules}: "
            "`seq2sum-rollout contract record V` writes one from a loaded version V, with the "
            f"`extra` of {of}; correct these values, or add the keys to `extra` by hand"
        )
        return Measurement(GATE, Verdict.INCONCLUSIVE, message)
    if candidate is None:
        message = f"it has no {FILE}: judged by the contract of {of} when it is loaded"
        return Measurement(GATE, Verdict.SKIPPED, message)
    differences = _broken_rules(candidate, stable, of)
    differences += _lost(signatures_of(candidate), signatures_of(stable), of)
    kept = f", and its rules for {rules}" if rules else ""
    return _measurement(GATE, differences, f"keeps the signatures of {of}{kept}")


def judge_live(
    candidate: ModelMetadata, stable: ModelMetadata, contracts: Contracts
) -> Measurement:
    """Judges the signatures that a server returns from GetModelMetadata.

    Args:
        candidate: The version that is to get traffic.
        stable: The stable version.
        contracts: The contracts; that of the candidate, or else the older one, counts too.
    """
    live, of = used_signatures(candidate), f"version {stable.version}"
    expected = [(used_signatures(stable), of)]
    success = f"has all signatures of {of}"
    if contracts.candidate is not None:
        expected.append((signatures_of(contracts.candidate), f"its {FILE}"))
    elif contracts.stable is not None:
        contract = f"the contract of version {contracts.version}"
        expected.append((signatures_of(contracts.stable), contract))
        success += f", and those in {contract}"
    found: dict[str, str] = {}
    for signatures, place in expected:
        keys, texts = (_lost(live, signatures, each) for each in ("", place))
        for key, text in zip(keys, texts, strict=True):
            found.setdefault(key, text)  # both may find the same difference
    return _measurement("signatures", list(found.values()), success)


def _measurement(gate: str, differences: list[str], success: str) -> Measurement:
    values = {"differences": len(differences)}
    if differences:
        message = f"{'; '.join(differences)}. {ADVICE}"
        return Measurement(gate, Verdict.FAILED, message, values)
    return Measurement(gate, Verdict.SUCCESSFUL, success, values)


def _broken_rules(candidate: Contract, stable: Contract, of: str) -> list[str]:
    found = []
    if candidate.model != stable.model:
        found.append(f"model is {one_line(repr(candidate.model))}, and {stable.model!r} in {of}")
    for key, rule in stable.rules.items():
        now, before = candidate.extra.get(key), stable.extra[key]
        kept = now == before if rule == "equal" else is_number(now) and now >= before
        if not kept:
            shown, expected = (one_line(repr(value), max_characters=60) for value in (now, before))
            found.append(f"{key} is {shown}, and {expected} in {of} (rule {rule})")
    return found


def _lost(
    candidate: Mapping[str, SignatureSpec], stable: Mapping[str, SignatureSpec], of: str
) -> list[str]:
    """Returns what stable has and the candidate lacks, or has with another dtype or rank."""
    found = []
    for name, before in stable.items():
        now = candidate.get(name)
        if now is None:
            found.append(f"signature {one_line(name)} is missing")
            continue
        for shapes, expected in ((now.inputs, before.inputs), (now.outputs, before.outputs)):
            for alias, tensor in expected.items():
                text = one_line(f"{alias} of signature {name}")
                found += _changed(shapes.get(alias), tensor, text, of)
        required = set(now.inputs) - now.optional - (set(before.inputs) - before.optional)
        found += [
            one_line(f"signature {name} requires input {alias}, which callers do not send")
            for alias in sorted(required)
        ]
    return found


def _changed(now: TensorSpec | None, before: TensorSpec, tensor: str, of: str) -> list[str]:
    if now is None:
        return [f"{before.dtype} {tensor} is missing"]
    if now.dtype != before.dtype:
        return [f"{tensor} is {one_line(now.dtype)}, and {before.dtype} in {of}"]
    if now.shape is None or before.shape is None or len(now.shape) == len(before.shape):
        return []
    return [f"{tensor} has rank {len(now.shape)}, and {len(before.shape)} in {of}"]
