"""Golden requests as lines of JSON: the format, its reader and its writer."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

from seq2sum import _json_values
from seq2sum._nested_lists import InvalidValue, flatten, shown
from seq2sum._predict_calls import DEFAULT_SIGNATURE
from seq2sum._tensor import Tensor

FILE_NAME = "golden.jsonl"
"""Below `assets.extra/` of a version's folder."""
EXACT: Literal["exact"] = "exact"
ARGMAX: Literal["argmax"] = "argmax"
LARGEST = sys.float_info.max
KEYS = ("inputs", "signature_name", "expect", "compare")


class InvalidGoldenRequest(ValueError):
    """A golden request that is not valid; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Numbers are as expected within `atol + rtol * abs(expected)`, as in `numpy.isclose`."""

    atol: float = 0.0
    rtol: float = 0.0


Compare = Literal["exact", "argmax"] | Tolerance
"""The comparison of an output: `exact`, within a tolerance, or `argmax`: in each row of the last
dimension, the largest value has to be at the expected index."""

RECORDED = Tolerance(atol=1e-5, rtol=1e-4)
"""The comparison of recorded floats: two machines rarely round the last digits alike."""


@dataclass(frozen=True, slots=True)
class GoldenRequest:
    """Inputs, and the outputs that are expected."""

    inputs: Mapping[str, Any]
    """Values by input name: scalars and nested lists of numbers, bool, str and bytes."""
    signature_name: str = DEFAULT_SIGNATURE
    expect: Mapping[str, Any] = field(default_factory=dict)
    """Values by output name; outputs that are not listed are not compared."""
    compare: Mapping[str, Compare] = field(default_factory=dict)
    """Comparisons by output name; `exact` for those that are not listed."""


def read(path: Path) -> tuple[GoldenRequest, ...]:
    """Returns the golden requests in a file.

    Raises:
        InvalidGoldenRequest: A line is not valid, or the file has none.
        OSError: The file cannot be read.
    """
    requests = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if line.strip():
            try:
                request = parse(line)
                if not request.expect:
                    raise InvalidGoldenRequest("it expects no output: add `expect`")
            except InvalidGoldenRequest as error:
                raise InvalidGoldenRequest(f"{path}:{number}: {error}") from error
            requests.append(request)
    if not requests:
        raise InvalidGoldenRequest(f"{path}: the file has no golden requests")
    return tuple(requests)


def parse(line: str | bytes) -> GoldenRequest:
    """Returns the golden request in a line.

    Without `expect`, it is a request to be recorded; its `compare` may name any output.

    Raises:
        InvalidGoldenRequest: The line is not valid.
    """
    try:
        text = line if isinstance(line, str) else line.decode()
        parsed = _json_values.parse(text, constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise InvalidGoldenRequest(f"not valid JSON: {error}") from error
    except _json_values.InvalidJson as error:
        raise InvalidGoldenRequest(str(error)) from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get("inputs"), dict):
        raise InvalidGoldenRequest(
            'expected an object with the inputs by name: {"inputs": {"x": [1.0]}, ...}'
        )
    for key in parsed.keys() - set(KEYS):
        raise InvalidGoldenRequest(f"unknown key {shown(key)}: expected {', '.join(KEYS)}")
    signature = parsed.get("signature_name", DEFAULT_SIGNATURE)
    expect, compare = parsed.get("expect", {}), parsed.get("compare", {})
    if not isinstance(signature, str):
        raise InvalidGoldenRequest(f"signature_name is {shown(signature)}: expected a text")
    for key, value in (("expect", expect), ("compare", compare)):
        if not isinstance(value, dict):
            raise InvalidGoldenRequest(f"{key} is {shown(value)}: expected an object by output")
    for name in compare.keys() - expect.keys() if expect else ():
        raise InvalidGoldenRequest(f"compare names output {shown(name)}, which is not in `expect`")
    request = GoldenRequest(
        {name: _decoded(value, f"input {name}") for name, value in parsed["inputs"].items()},
        signature,
        {name: _decoded(value, f"output {name}") for name, value in expect.items()},
        {name: _comparison(value, name) for name, value in compare.items()},
    )
    for name, value in request.expect.items():
        _check_comparable(value, request.compare.get(name, EXACT), name)
    return request


def to_line(request: GoldenRequest) -> str:
    """Returns a golden request as one line of JSON, without the line end.

    Raises:
        InvalidGoldenRequest: JSON cannot hold a value: NaN, infinity or a complex number.
    """
    line: dict[str, Any] = {"inputs": {n: _encoded(v, n) for n, v in request.inputs.items()}}
    if request.signature_name != DEFAULT_SIGNATURE:
        line["signature_name"] = request.signature_name
    line["expect"] = {name: _encoded(value, name) for name, value in request.expect.items()}
    compare = {
        name: {"atol": how.atol, "rtol": how.rtol} if isinstance(how, Tolerance) else how
        for name, how in request.compare.items()
        if how != EXACT
    }
    if compare:
        line["compare"] = compare
    return json.dumps(line, ensure_ascii=False)


def recorded(request: GoldenRequest, outputs: Mapping[str, Tensor]) -> GoldenRequest:
    """Returns a request that expects these outputs.

    Floats are compared with a tolerance, other outputs exactly, unless the request says otherwise.
    A request that lists outputs in `expect` keeps these outputs and no others.

    Raises:
        InvalidGoldenRequest: `compare` names an output that does not exist, or whose values it
            cannot compare.
    """
    for name in request.compare.keys() - outputs.keys():
        raise InvalidGoldenRequest(
            f"compare names output {shown(name)}: outputs are {list(outputs)}"
        )
    chosen = {n: t for n, t in outputs.items() if not request.expect or n in request.expect}
    default: dict[str, Compare] = {
        name: RECORDED for name, tensor in chosen.items() if _has_floats(tensor.tolist())
    }
    compare = default | {n: how for n, how in request.compare.items() if n in chosen}
    values = {name: tensor.tolist() for name, tensor in chosen.items()}
    for name, value in values.items():
        _check_comparable(value, compare.get(name, EXACT), name)
    return GoldenRequest(request.inputs, request.signature_name, values, compare)


def _decoded(value: Any, place: str) -> Any:
    """Returns a JSON value with bytes for `{"b64": ...}`; refuses what no tensor can hold."""
    try:
        found = _json_values.decoded(value)
        _check_encodable(found)
        has_null = _has_null(found)
    except (_json_values.InvalidJson, RecursionError, UnicodeEncodeError) as error:
        raise InvalidGoldenRequest(f"{place} is invalid: {error}") from error
    if has_null:
        raise InvalidGoldenRequest(f"{place} has null, which no tensor can hold")
    return found


def _check_encodable(value: Any) -> None:
    """Raises UnicodeEncodeError for a text with a lone surrogate, which JSON can spell."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, list):
        for each in value:
            _check_encodable(each)


def _has_null(value: Any) -> bool:
    return any(map(_has_null, value)) if isinstance(value, list) else value is None


def _encoded(value: Any, place: str) -> Any:
    if isinstance(value, list | tuple):
        return [_encoded(each, place) for each in value]
    if isinstance(value, bytes):
        return _json_values.encoded(value)
    if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
        raise InvalidGoldenRequest(f"{place} has {value}, which JSON cannot hold")
    return value


def _comparison(value: Any, name: str) -> Compare:
    if value in (EXACT, ARGMAX):
        chosen: Compare = value
        return chosen
    if isinstance(value, dict) and value and value.keys() <= {"atol", "rtol"}:
        numbers = value.values()
        if all(type(each) in (int, float) and 0 <= each <= LARGEST for each in numbers):
            return Tolerance(**value)
    raise InvalidGoldenRequest(
        f'compare of output {name} is {shown(value)}: expected "exact", "argmax", or an object '
        'with numbers, 0 or more: {"atol": 1e-5, "rtol": 1e-4}'
    )


def _check_comparable(expected: Any, how: Compare, name: str) -> None:
    try:
        shape, values = flatten(expected)
    except InvalidValue as error:
        raise InvalidGoldenRequest(f"output {name} is {error}") from error
    if how != EXACT and not all(type(value) in (int, float) for value in values):
        raise InvalidGoldenRequest(f"output {name} has other values than numbers: compare exactly")
    if how != EXACT and any(abs(value) > LARGEST for value in values):
        raise InvalidGoldenRequest(f"output {name} has a number that is too large for a float")
    if how == ARGMAX and not (shape and shape[-1] > 1):
        raise InvalidGoldenRequest(
            f"output {name} has no last dimension of two or more values: argmax needs one"
        )


def _has_floats(value: Any) -> bool:
    return any(isinstance(each, float) for each in flatten(value)[1])


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")
