"""What a run says: a line now and then, each finding, and a summary."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from fuzz import sending
from fuzz.books import Books, Finding
from fuzz.inputs import Call, Conversation, Input, Rest
from fuzz.replies import GrpcReply, HttpReply, Replies, Reply
from google.protobuf import text_format
from google.protobuf.message import DecodeError

LONGEST = 1500
LEAST_ACCEPTED = 0.1
"""Share of a kind's inputs that a server must do something with: rejected rubbish shows nothing."""
ENOUGH = 200
"""Inputs of a kind before its share is judged."""
FREE = {"wire-bytes", "json-texts", "grpc-noise"}
"""Kinds that are mostly refused by design."""


def shown(finding: Finding, number: int, again: Sequence[str]) -> str:
    """A finding for a person who has to mend it."""
    lines = [f"FINDING {number}: {finding.fault.kind}", f"  {short(finding.fault.text)}"]
    if finding.case is not None:
        lines[0] += f" ({finding.case.kind}, seed {finding.case.seed}, case {finding.case.number})"
    if finding.minimal is not None:
        lines += ["  input:", indented(described(finding.minimal))]
    for name, reply in zip(("answer", "other answer"), finding.replies, strict=False):
        lines += [f"  {name}:", indented(answered(reply))]
    if finding.case is not None:
        values = f"SEED={finding.case.seed} CASE={finding.case.number}"
        lines.append(f"  again: make fuzz {' '.join([values, *again])}")
    return "\n".join(lines)


def described(question: Input) -> str:
    """An input as text."""
    match question:
        case Call():
            return f"{question.method} {called(question)}"
        case Rest():
            head = f"{question.verb} {question.path}"
            return head if question.body is None else f"{head}\n{short(literal(question.body))}"
        case Conversation():
            end = ", then the sending side is shut" if question.half_close else ""
            pieces = f", {question.piece} at a time" if question.piece else ""
            data = sending.wire(question)
            return f"{len(data):,} bytes{pieces}{end}\n{short(literal(data))}"


def called(question: Call) -> str:
    from conformance.exchange import METHODS

    try:
        request = METHODS[question.method][1].FromString(question.data)
    except DecodeError:
        return f"bytes {short(literal(question.data))}"
    return short(text_format.MessageToString(request, as_one_line=True))


def answered(reply: Reply) -> str:
    match reply:
        case GrpcReply(code="OK"):
            return f"OK, {len(reply.data):,} bytes {short(literal(reply.data), 300)}"
        case GrpcReply():
            return f"{reply.code}: {short(reply.message)}"
        case HttpReply():
            return f"{reply.status}, {len(reply.body):,} bytes\n{short(literal(reply.body), 600)}"
        case Replies():
            each = [answered(one) for one in reply.replies]
            return "\n".join([*each, f"connection {reply.end}"])
    return str(reply)


def literal(data: bytes) -> str:
    """Text as it is, with other bytes escaped."""
    return data.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def short(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text):,} characters)"


def indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def progress(books: Books, seconds: float, beside: int) -> str:
    """One line while the run goes on."""
    minutes, left = divmod(int(seconds), 60)
    return (
        f"{minutes}:{left:02}  {books.sent:,} inputs sent, {sum(books.accepted.values()):,} "
        f"accepted, {len(books.findings)} findings; {beside:,} good calls beside them"
    )


def rubbish(books: Books) -> list[str]:
    """Kinds of which hardly any input was accepted."""
    found = []
    for kind, count in sorted(totals(books).items()):
        share = books.accepted[kind] / count
        if kind not in FREE and count >= ENOUGH and share < LEAST_ACCEPTED:
            found.append(f"only {share:.1%} of {count:,} inputs of kind {kind} were accepted")
    return found


def totals(books: Books) -> dict[str, int]:
    found: dict[str, int] = {}
    for (kind, _), count in books.outcomes.items():
        found[kind] = found.get(kind, 0) + count
    return found


def summary(books: Books, beside: int, slowest: float) -> str:
    """Inputs by kind and outcome, intended differences, and findings."""
    lines = []
    for kind, count in sorted(totals(books).items()):
        outcomes = sorted(
            ((found, name) for (of, name), found in books.outcomes.items() if of == kind),
            reverse=True,
        )
        spelt = ", ".join(f"{name} {found:,}" for found, name in outcomes)
        lines.append(f"{kind:14} {count:7,}  {books.accepted[kind] / count:4.0%} OK  {spelt}")
    lines += [f"intended: {name}: {count:,}" for name, count in sorted(books.intended.items())]
    for key, finding in sorted(books.findings.items()):
        number = finding.case.number if finding.case else "-"
        what = " ".join(filter(None, key))
        lines.append(f"WRONG {books.repeats[key]:6,} times: {what!r}, first in case {number}")
    lines += [f"WRONG {text}" for text in rubbish(books)]
    lines.append(f"{beside:,} good calls beside the fuzzing, the slowest {slowest:.2f} s")
    lines.append(f"{books.sent:,} inputs, {len(books.findings)} kinds of findings")
    return "\n".join(lines)


def command(options: dict[str, str]) -> list[str]:
    """Settings of a run as they are given to make."""
    return [f"{name}={shlex.quote(value)}" for name, value in options.items() if value]
