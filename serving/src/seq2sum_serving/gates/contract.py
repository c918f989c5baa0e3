"""Gates `contract` and `signatures`: a version has to keep what callers of the stable one use.

Before the load, `contract` compares the contract files of the versions; after the load,
`signatures` compares what the servers report, since a file can be wrong. The measurement lists
every difference.
"""

from __future__ import annotations

from collections.abc import Mapping

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


def judge(candidate: Contract | None, stable: Contract | None) -> Measurement:
    """Judges the contracts of the versions, before the load; None stands for a missing file."""
    if candidate is None and stable is None:
        message = f"neither the version nor stable has a {FILE}: {RECORD}"
        return Measurement(GATE, Verdict.INCONCLUSIVE, message)
    if candidate is None and stable is not None:
        if stable.rules:
            message = (
                f"the version has no {FILE}, and the rules of stable's need its "
                f"{', '.join(sorted(stable.rules))}: {RECORD}"
            )
            return Measurement(GATE, Verdict.INCONCLUSIVE, message)
        message = f"the version has no {FILE}: judged by its signatures when it is loaded"
        return Measurement(GATE, Verdict.SKIPPED, message)
    assert candidate is not None
    if stable is None:
        message = f"stable has no {FILE} to compare with: see gate signatures"
        return Measurement(GATE, Verdict.SUCCESSFUL, message, {"differences": 0})
    differences = _broken_rules(candidate, stable)
    differences += _lost(signatures_of(candidate), signatures_of(stable), "in stable")
    kept = f", and {', '.join(sorted(stable.rules))}" if stable.rules else ""
    return _measurement(GATE, differences, f"has all signatures of stable's contract{kept}")


def judge_live(
    candidate: ModelMetadata,
    stable: ModelMetadata,
    own: Contract | None = None,
    stable_contract: Contract | None = None,
) -> list[Measurement]:
    """Judges the signatures that a server returns from GetModelMetadata.

    Args:
        candidate: The version that is to get traffic.
        stable: The stable version.
        own: The candidate's contract; None if it has none.
        stable_contract: The stable version's contract; None if it has none.

    Returns:
        The gate `signatures`; before it `contract`, if only the stable version has a contract.
    """
    live = used_signatures(candidate)
    differences = _lost(live, used_signatures(stable), "in stable")
    if own is not None:
        differences += _lost(live, signatures_of(own), f"in the version's {FILE}")
    found = [_measurement("signatures", differences, "has all signatures of stable")]
    if own is None and stable_contract is not None:
        differences = _lost(live, signatures_of(stable_contract), "in stable's contract")
        message = "its signatures have all of stable's contract"
        found.insert(0, _measurement(GATE, differences, message))
    return found


def _measurement(gate: str, differences: list[str], success: str) -> Measurement:
    differences = list(dict.fromkeys(differences))  # both comparisons may find the same one
    values = {"differences": len(differences)}
    if differences:
        message = f"{'; '.join(differences)}. {ADVICE}"
        return Measurement(gate, Verdict.FAILED, message, values)
    return Measurement(gate, Verdict.SUCCESSFUL, success, values)


def _broken_rules(candidate: Contract, stable: Contract) -> list[str]:
    found = []
    if candidate.model != stable.model:
        found.append(f"model is {one_line(repr(candidate.model))}, and {stable.model!r} in stable")
    for key, rule in stable.rules.items():
        now, before = candidate.extra.get(key), stable.extra[key]
        kept = now == before if rule == "equal" else is_number(now) and now >= before
        if not kept:
            shown, expected = (one_line(repr(value), max_characters=60) for value in (now, before))
            found.append(f"{key} is {shown}, and {expected} in stable (rule {rule})")
    return found


def _lost(
    candidate: Mapping[str, SignatureSpec], stable: Mapping[str, SignatureSpec], where: str
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
                found += _changed(shapes.get(alias), tensor, text, where)
        required = set(now.inputs) - now.optional - (set(before.inputs) - before.optional)
        found += [
            one_line(f"signature {name} requires input {alias}, which callers do not send")
            for alias in sorted(required)
        ]
    return found


def _changed(now: TensorSpec | None, before: TensorSpec, tensor: str, where: str) -> list[str]:
    if now is None:
        return [f"{before.dtype} {tensor} is missing"]
    if now.dtype != before.dtype:
        return [f"{tensor} is {one_line(now.dtype)}, and {before.dtype} {where}"]
    if now.shape is None or before.shape is None or len(now.shape) == len(before.shape):
        return []
    return [f"{tensor} has rank {len(now.shape)}, and {len(before.shape)} {where}"]
