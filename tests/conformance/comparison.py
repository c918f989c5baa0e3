"""Whether what was seen of a step is what was recorded of it. Pure: values in, sentences out.

Three things may differ, since they differ from call to call on the real server too: the order of
keys in JSON, what a step names under `ignore`, and the order of lists under `unordered`. And the
tail of an op's error that names the node is left out, because the runtime makes up such names.
"""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from conformance import exchange
from conformance.case import Step
from conformance.exchange import Seen

IGNORED = "(ignored)"
LONGEST = 700
"""Characters of a value that a sentence shows."""
NODE_TAIL = re.compile(r"(\n\t|\\n\\t) \[\[\{\{.*?\}\}\]\]", re.DOTALL)
LOOKED_AT = ("states", "outcomes", "exit_code", "last_line", "open", "running", "ports")
"""What actions see; a recording holds what its action is about."""


def differences(step: Step, seen: Seen) -> list[str]:
    """A sentence for everything that was recorded and not seen."""
    if "error" in seen:
        return [seen["error"]]
    if "parallel" in step:
        compare = any_order if step.get("any_order") else in_order
        return compare(step["parallel"], seen["parallel"])
    recorded, found = (normal(side, step) for side in (step, seen))
    if "rpc" in step:
        return of_rpc(recorded, found)
    if "rest" in step:
        return of_rest(recorded, found)
    if "http_raw" in step:
        return of_http(recorded, found)
    if step["action"] == "metrics":
        return of_metrics(recorded, found)
    return of_action(recorded, found)


def in_order(branches: Sequence[Sequence[Step]], seen: Sequence[Sequence[Seen]]) -> list[str]:
    """Of steps that ran at once."""
    return [
        f"branch {number}, step {place}: {sentence}"
        for number, (steps, results) in enumerate(zip(branches, seen, strict=True))
        for place, (step, result) in enumerate(zip(steps, results, strict=True))
        for sentence in differences(step, result)
    ]


def any_order(branches: Sequence[Sequence[Step]], seen: Sequence[Sequence[Seen]]) -> list[str]:
    """The same where chance decides which branch meets which recorded outcome."""
    left, sentences = list(branches), []
    for results in seen:
        fitting = (
            steps
            for steps in left
            if not any(map(differences, steps, results)) and len(steps) == len(results)
        )
        if (steps := next(fitting, None)) is None:
            sentences.append(f"no recorded branch fits {short(results)}")
        else:
            left.remove(steps)
    return sentences


def of_rpc(recorded: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    fields, sentences = ["code"], []
    if "message_regex" in recorded:
        sentences += unlike(recorded["message_regex"], seen, "message")
    else:
        fields.append("message")
    if recorded["code"] == "OK":
        method = recorded["rpc"]
        fields.append("response" if method in exchange.METHODS else "response_bytes_b64")
        if "response" not in recorded and method in exchange.METHODS:  # too long to be spelt out
            data = base64.b64decode(recorded["response_bytes_b64"])
            recorded = {**recorded, "response": exchange.response(method, data)}
    return sentences + of_fields(recorded, seen, fields)


def of_rest(recorded: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    sentences = of_fields(recorded, seen, ["http_code", "content_type"])
    if "reply_regex" in recorded:
        return sentences + unlike(recorded["reply_regex"], seen, "reply")
    digits = recorded.get("numbers_as_written", False)
    wanted = as_json(recorded["reply"], digits=digits)
    if wanted is None or wanted != as_json(seen["reply"], digits=digits):
        sentences += of_fields(recorded, seen, ["reply"])
    return sentences


def of_http(recorded: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    """Of the replies on one connection: JSON bodies as JSON, everything else to the letter."""
    sentences = of_fields(recorded, seen, ["end"])
    if len(recorded["replies"]) != len(seen["replies"]):
        return sentences + of_fields(recorded, seen, ["replies"])
    for number, (wanted, found) in enumerate(
        zip(recorded["replies"], seen["replies"], strict=True)
    ):
        fields = ["status", "headers"]
        body = as_json(wanted["body"])
        if body is None or body != as_json(found["body"]):
            fields.append("body")
        sentences += [f"reply {number}: {line}" for line in of_fields(wanted, found, fields)]
    return sentences


def of_action(recorded: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    sentences = of_fields(recorded, seen, [field for field in LOOKED_AT if field in recorded])
    pattern = recorded.get("printed_regex")
    if pattern and not re.search(pattern, seen["printed"], re.DOTALL):
        sentences.append(f"printed: {short(seen['printed'])} contains nothing like {pattern!r}")
    return sentences


def of_metrics(recorded: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    """A server may have more series than were recorded, but none less."""
    missing = [series for series in recorded["series"] if series not in set(seen["series"])]
    fields = of_fields(recorded, seen, ["http_code", "content_type", "values"])
    of_types = {name: seen["types"].get(name) for name in recorded["types"]}
    return [
        *fields,
        *(f"no series {series}" for series in missing),
        *of_fields(recorded, {"types": of_types}, ["types"]),
    ]


def of_fields(
    recorded: Mapping[str, Any], seen: Mapping[str, Any], fields: Sequence[str]
) -> list[str]:
    return [
        f"{field}: recorded {short(recorded.get(field))}, seen {short(seen.get(field))}"
        for field in fields
        if recorded.get(field) != seen.get(field)
    ]


def unlike(pattern: str, seen: Mapping[str, Any], field: str) -> list[str]:
    if re.fullmatch(pattern, seen[field], re.DOTALL):
        return []
    return [f"{field}: {short(seen[field])} does not match {pattern!r}"]


def normal(side: Mapping[str, Any], step: Step) -> dict[str, Any]:
    """A copy without what may differ."""
    side = copy.deepcopy(dict(side))
    for path in step.get("ignore", ()):
        replace(side, path.split("."), lambda _: IGNORED)
    for path in step.get("unordered", ()):
        replace(side, path.split("."), lambda rows: sorted(rows, key=spelt))
    for field in ("message", "reply"):
        if field in side:
            side[field] = NODE_TAIL.sub("", side[field])
    return side


def replace(value: Any, path: Sequence[str], by: Any) -> None:
    """Changes the value at a path such as response.items.0.name, if there is one."""
    first, *rest = path
    key = int(first) if isinstance(value, list) and first.isdigit() else first
    try:
        inner = value[key]
    except (KeyError, IndexError, TypeError):
        return
    if rest:
        replace(inner, rest, by)
    else:
        value[key] = by(inner)


def as_json(text: str, *, digits: bool = False) -> str | None:
    """One spelling for each JSON value, 1 and 1.0 apart; None if it is not valid JSON.

    Args:
        text: The JSON text.
        digits: Whether decimals must have the same digits too: `1.7e+09` is not `1700000000.0`.
    """
    try:
        return spelt(
            json.loads(text, parse_float=(lambda number: f"number {number}") if digits else None)
        )
    except ValueError:
        return None


def spelt(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def short(value: Any) -> str:
    text = value if isinstance(value, str) else spelt(value)
    return repr(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")
