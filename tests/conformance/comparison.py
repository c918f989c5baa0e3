"""Compares observations with the recording. Pure: values in, mismatches as text out.

Tolerated, because it also varies on the real server: the order of keys in JSON, the fields that a
step lists under `ignore`, the order of lists under `unordered`, and the tail of an op's error with
the node's name, which the runtime generates.
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
from conformance.exchange import Observation

IGNORED = "(ignored)"
MAX_SHOWN = 700
"""Characters of a value in a mismatch."""
NODE_TAIL = re.compile(r"(\n\t|\\n\\t) \[\[\{\{.*?\}\}\]\]", re.DOTALL)
ACTION_FIELDS = ("states", "outcomes", "exit_code", "last_line", "open", "running", "ports")
"""Fields that actions observe; a recording has those of its action."""


def mismatches(step: Step, observation: Observation) -> list[str]:
    """Returns a text for each recorded field that was not observed."""
    if "error" in observation:
        return [observation["error"]]
    if "parallel" in step:
        compare = compare_any_order if step.get("any_order") else compare_in_order
        return compare(step["parallel"], observation["parallel"])
    recorded, observed = (normalize(side, step) for side in (step, observation))
    if "rpc" in step:
        return compare_rpc(recorded, observed)
    if "rest" in step:
        return compare_rest(recorded, observed)
    if "http_raw" in step:
        return compare_raw_http(recorded, observed)
    if step["action"] == "metrics":
        return compare_metrics(recorded, observed)
    return compare_action(recorded, observed)


def compare_in_order(
    branches: Sequence[Sequence[Step]], results: Sequence[Sequence[Observation]]
) -> list[str]:
    """Compares parallel branches one by one."""
    return [
        f"branch {number}, step {position}: {mismatch}"
        for number, (steps, observations) in enumerate(zip(branches, results, strict=True))
        for position, (step, observation) in enumerate(zip(steps, observations, strict=True))
        for mismatch in mismatches(step, observation)
    ]


def compare_any_order(
    branches: Sequence[Sequence[Step]], results: Sequence[Sequence[Observation]]
) -> list[str]:
    """Compares parallel branches whose recorded outcomes may occur in any of them."""
    unmatched, found = list(branches), []
    for observations in results:
        fitting = (
            steps
            for steps in unmatched
            if not any(map(mismatches, steps, observations)) and len(steps) == len(observations)
        )
        if (steps := next(fitting, None)) is None:
            found.append(f"no recorded branch fits {shorten(observations)}")
        else:
            unmatched.remove(steps)
    return found


def compare_rpc(recorded: Mapping[str, Any], observed: Mapping[str, Any]) -> list[str]:
    fields, found = ["code"], []
    if "message_regex" in recorded:
        found += match_pattern(recorded["message_regex"], observed, "message")
    else:
        fields.append("message")
    if recorded["code"] == "OK":
        method = recorded["rpc"]
        fields.append("response" if method in exchange.METHODS else "response_bytes_b64")
        if "response" not in recorded and method in exchange.METHODS:  # too long for the file
            data = base64.b64decode(recorded["response_bytes_b64"])
            recorded = {**recorded, "response": exchange.response(method, data)}
    return found + compare_fields(recorded, observed, fields)


def compare_rest(recorded: Mapping[str, Any], observed: Mapping[str, Any]) -> list[str]:
    found = compare_fields(recorded, observed, ["http_code", "content_type"])
    if "reply_regex" in recorded:
        return found + match_pattern(recorded["reply_regex"], observed, "reply")
    digits = recorded.get("numbers_as_written", False)
    expected = canonical_json(recorded["reply"], digits=digits)
    if expected is None or expected != canonical_json(observed["reply"], digits=digits):
        found += compare_fields(recorded, observed, ["reply"])
    return found


def compare_raw_http(recorded: Mapping[str, Any], observed: Mapping[str, Any]) -> list[str]:
    """Compares the replies on one connection: JSON bodies as JSON, the rest literally."""
    found = compare_fields(recorded, observed, ["end"])
    if len(recorded["replies"]) != len(observed["replies"]):
        return found + compare_fields(recorded, observed, ["replies"])
    for number, (expected, reply) in enumerate(
        zip(recorded["replies"], observed["replies"], strict=True)
    ):
        fields = ["status", "headers"]
        body = canonical_json(expected["body"])
        if body is None or body != canonical_json(reply["body"]):
            fields.append("body")
        found += [f"reply {number}: {line}" for line in compare_fields(expected, reply, fields)]
    return found


def compare_action(recorded: Mapping[str, Any], observed: Mapping[str, Any]) -> list[str]:
    found = compare_fields(recorded, observed, [name for name in ACTION_FIELDS if name in recorded])
    pattern = recorded.get("printed_regex")
    if pattern and not re.search(pattern, observed["printed"], re.DOTALL):
        found.append(f"printed: {shorten(observed['printed'])} does not contain {pattern!r}")
    return found


def compare_metrics(recorded: Mapping[str, Any], observed: Mapping[str, Any]) -> list[str]:
    """Compares metrics; series that were not recorded are allowed."""
    missing = [series for series in recorded["series"] if series not in set(observed["series"])]
    types = {name: observed["types"].get(name) for name in recorded["types"]}
    return [
        *compare_fields(recorded, observed, ["http_code", "content_type", "values"]),
        *(f"no series {series}" for series in missing),
        *compare_fields(recorded, {"types": types}, ["types"]),
    ]


def compare_fields(
    recorded: Mapping[str, Any], observed: Mapping[str, Any], fields: Sequence[str]
) -> list[str]:
    return [
        f"{field}: recorded {shorten(recorded.get(field))}, observed {shorten(observed.get(field))}"
        for field in fields
        if recorded.get(field) != observed.get(field)
    ]


def match_pattern(pattern: str, observed: Mapping[str, Any], field: str) -> list[str]:
    if re.fullmatch(pattern, observed[field], re.DOTALL):
        return []
    return [f"{field}: {shorten(observed[field])} does not match {pattern!r}"]


def normalize(side: Mapping[str, Any], step: Step) -> dict[str, Any]:
    """Returns a copy without the tolerated variations."""
    side = copy.deepcopy(dict(side))
    for path in step.get("ignore", ()):
        replace(side, path.split("."), lambda _: IGNORED)
    for path in step.get("unordered", ()):
        replace(side, path.split("."), lambda rows: sorted(rows, key=sorted_json))
    for field in ("message", "reply"):
        if field in side:
            side[field] = NODE_TAIL.sub("", side[field])
    return side


def replace(value: Any, path: Sequence[str], by: Any) -> None:
    """Changes the value at a path such as response.items.0.name, if it exists."""
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


def canonical_json(text: str, *, digits: bool = False) -> str | None:
    """Returns JSON in a canonical form, with 1 and 1.0 distinct; None for invalid JSON.

    Args:
        text: The JSON text.
        digits: Whether decimals must also have equal digits: `1.7e+09` is not `1700000000.0`.
    """
    parse_float = (lambda number: f"number {number}") if digits else None
    try:
        return sorted_json(json.loads(text, parse_float=parse_float))
    except ValueError:
        return None


def sorted_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def shorten(value: Any) -> str:
    text = value if isinstance(value, str) else sorted_json(value)
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}...")
