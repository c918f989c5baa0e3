"""The output of a fuzzing run: progress, findings, and a summary."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence

from conformance.exchange import METHODS
from fuzz.findings import Finding, Results
from fuzz.inputs import Call, Input
from fuzz.replies import shorten
from google.protobuf import text_format
from google.protobuf.message import DecodeError

MAX_SHOWN = 1500
MIN_ACCEPTED = 0.1
"""Smallest share of a kind's inputs that a server must accept: rejected inputs test little."""
MIN_INPUTS = 200
"""Number of inputs of a kind from which its share is checked."""
MALFORMED_KINDS = {"wire-bytes", "json-texts", "grpc-noise"}
"""Kinds that are mostly rejected by design."""


def describe_finding(finding: Finding, number: int, arguments: Sequence[str]) -> str:
    """Describes a finding, with the command that reproduces it; `arguments` are for make."""
    case, text = finding.case, shorten(finding.fault.text, MAX_SHOWN)
    lines = [f"FINDING {number}: {finding.fault.kind}", f"  {text}"]
    if case is not None:
        lines[0] += f" ({case.kind}, seed {case.seed}, case {case.number})"
    if finding.minimal is not None:
        lines.append(f"  input: {describe_input(finding.minimal)}")
    lines += (f"  reply: {shorten(str(reply), MAX_SHOWN)}" for reply in finding.replies)
    if case is not None:
        command = ["make", "fuzz", f"SEED={case.seed}", f"CASE={case.number}", *arguments]
        lines.append(f"  reproduce: {' '.join(command)}")
    return "\n".join(lines)


def describe_input(test_input: Input) -> str:
    text = str(test_input)
    if isinstance(test_input, Call):
        with contextlib.suppress(DecodeError):
            request = METHODS[test_input.method][1].FromString(test_input.data)
            text = text_format.MessageToString(request, as_one_line=True)
            text = f"{test_input.method} {text}"
    return shorten(text, MAX_SHOWN)


def progress(results: Results, seconds: float, background_calls: int) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return (
        f"{minutes}:{rest:02}  {results.sent:,} inputs sent, {sum(results.accepted.values()):,} "
        f"accepted, {len(results.findings)} findings; {background_calls:,} background calls"
    )


def rarely_accepted(results: Results) -> list[str]:
    """Returns a message for each kind of input that was almost always rejected."""
    found = []
    for kind, count in sorted(totals(results).items()):
        share = results.accepted[kind] / count
        if kind not in MALFORMED_KINDS and count >= MIN_INPUTS and share < MIN_ACCEPTED:
            found.append(f"only {share:.1%} of {count:,} inputs of kind {kind} were accepted")
    return found


def totals(results: Results) -> Counter[str]:
    found: Counter[str] = Counter()
    for (kind, _), count in results.outcomes.items():
        found[kind] += count
    return found


def summary(results: Results, background_calls: int, slowest: float) -> str:
    """Lists inputs by kind and outcome, intended differences, and findings."""
    lines = []
    for kind, count in sorted(totals(results).items()):
        outcomes = sorted(
            ((found, name) for (of, name), found in results.outcomes.items() if of == kind),
            reverse=True,
        )
        listed = ", ".join(f"{name} {found:,}" for found, name in outcomes)
        lines.append(f"{kind:14} {count:7,}  {results.accepted[kind] / count:4.0%} OK  {listed}")
    lines += [f"intended: {name}: {count:,}" for name, count in sorted(results.intended.items())]
    for key, finding in sorted(results.findings.items()):
        number = finding.case.number if finding.case else "-"
        kind = " ".join(filter(None, key))
        lines.append(f"WRONG {results.repeats[key]:6,} times: {kind!r}, first in case {number}")
    lines += [f"WRONG {text}" for text in rarely_accepted(results)]
    lines.append(f"{background_calls:,} background calls, the slowest {slowest:.2f} s")
    lines.append(f"{results.sent:,} inputs, {len(results.findings)} kinds of findings")
    return "\n".join(lines)
