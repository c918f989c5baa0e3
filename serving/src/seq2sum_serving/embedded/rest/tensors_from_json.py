"""Converts the body of a predict call, in row (`instances`) or columnar (`inputs`) format.

`_add_as_array` converts lists of plain values of one type as whole arrays. For other lists it
returns False, and `_add_elements` converts value by value and reports the first invalid one with
TensorFlow Serving's message.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

from seq2sum_serving.embedded.errors import ServingError
from seq2sum_serving.embedded.rest.json_parser import parse_object
from seq2sum_serving.embedded.rest.json_values import (
    add_array,
    add_value,
    invalid,
    invalid_document,
    is_base64,
)
from seq2sum_serving.embedded.rest.json_writer import value_text

Inputs = Mapping[str, Any]
"""TensorInfo messages by alias."""


class Format(Enum):
    """Layout of inputs and outputs."""

    ROW = "row"
    COLUMNAR = "columnar"


def fill_request(
    request: predict_pb2.PredictRequest, body: bytes, signature_inputs: Callable[[str], Inputs]
) -> Format:
    """Sets the signature name and the inputs of a request.

    Args:
        request: The request, whose model_spec has the model name.
        body: JSON text.
        signature_inputs: Returns the inputs of a signature, given its name as sent; an empty name
            means the default signature.

    Raises:
        ServingError: The body is invalid.
    """
    document = parse_object(body)
    request.model_spec.signature_name = signature_name(document)
    inputs = signature_inputs(request.model_spec.signature_name)
    if not inputs:
        signature = request.model_spec.signature_name or "DEFAULT"
        raise invalid(f"Failed to get input map for signature: {signature}")
    if "instances" in document:
        instances = document["instances"]
        if "inputs" in document:
            raise invalid_document(
                document,
                "Not formatted correctly expecting only one of 'inputs' or 'instances' keys "
                "to exist ",
            )
        if not isinstance(instances, list):
            raise invalid_document(document, "Expecting 'instances' to be an list/array")
        if not instances:
            raise invalid_document(document, "No values in 'instances' array")
        _fill_rows(request.inputs, instances, inputs)
        return Format.ROW
    if "inputs" not in document:
        raise invalid("Missing 'inputs' or 'instances' key")
    _fill_columns(request.inputs, document["inputs"], inputs)
    return Format.COLUMNAR


def signature_name(document: Mapping[str, Any]) -> str:
    """Returns the signature name in a body; empty for the default signature."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_document(
            document, "not formatted correctly. 'signature_name' key must be a string value."
        )
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _fill_columns(tensors: Any, value: Any, inputs: Inputs) -> None:
    if isinstance(value, dict) and not is_base64(value):
        for alias, info in inputs.items():
            if alias not in value:
                raise invalid(f"Missing named input: {alias} in 'inputs' object.")
            _fill_tensor(tensors[alias], value[alias], info.dtype)
        return
    if len(inputs) > 1:
        raise invalid(
            "inputs is a plain value/list, but expecting an object as multiple input tensors "
            "required as per tensorinfo_map"
        )
    ((alias, info),) = inputs.items()
    _fill_tensor(tensors[alias], value, info.dtype)


def _fill_tensor(tensor: tensor_pb2.TensorProto, value: Any, dtype: int) -> None:
    shape = _shape(value)
    if not _add_as_array(tensor, [value], shape, dtype):
        _add_elements(tensor, value, shape, dtype)
    _set_shape(tensor, shape, dtype)


def _fill_rows(tensors: Any, rows: list[Any], inputs: Inputs) -> None:
    if len(inputs) > 1 and not isinstance(rows[0], dict):
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    columns = _columns(rows, inputs)
    if columns is not None and _fill_columns_as_arrays(tensors, columns, inputs):
        return
    tensors.clear()
    _fill_rows_by_element(tensors, rows, inputs)


def _columns(rows: list[Any], inputs: Inputs) -> dict[str, list[Any]] | None:
    """Returns the rows' values by alias; None if rows differ in their aliases."""
    if not _is_named(rows[0]):
        alias = next(iter(inputs))
        return None if any(map(_is_named, rows)) else {alias: rows}
    aliases = inputs.keys()
    if "b64" in aliases or any(type(row) is not dict or row.keys() != aliases for row in rows):
        return None
    return {alias: [row[alias] for row in rows] for alias in aliases}


def _fill_columns_as_arrays(tensors: Any, columns: dict[str, list[Any]], inputs: Inputs) -> bool:
    for alias, values in columns.items():
        dtype = inputs[alias].dtype
        shape = _shape(values[0])
        if not _add_as_array(tensors[alias], values, shape, dtype):
            return False
        _set_shape(tensors[alias], [len(values), *shape], dtype)
    return True


def _fill_rows_by_element(tensors: Any, rows: list[Any], inputs: Inputs) -> None:
    shapes: dict[str, list[int]] = {}
    named = _is_named(rows[0])
    for index, row in enumerate(rows):
        if named != _is_named(row):
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise invalid(f"Expecting {expected} but got {got} at item {index} of input list")
        if not named:
            alias = next(iter(inputs))
            _add_item(tensors, alias, row, inputs, shapes, f"{index}")
            continue
        for alias, value in row.items():
            _add_item(tensors, alias, value, inputs, shapes, f"{index} key: {alias}")
        if row.keys() != inputs.keys():
            raise invalid(
                f"Failed to process element: {index} of 'instances' list. JSON object: "
                f"{value_text(row)} keys must be equal to: {','.join(sorted(inputs))}"
            )
    for alias, shape in shapes.items():
        _set_shape(tensors[alias], [len(rows), *shape], inputs[alias].dtype)


def _add_item(
    tensors: Any,
    alias: str,
    value: Any,
    inputs: Inputs,
    shapes: dict[str, list[int]],
    position: str,
) -> None:
    try:
        if alias not in inputs:
            raise invalid(f"JSON object: does not have named input: {alias}")
        shape = _shape(value)
        count = _add_elements(tensors[alias], value, shape, inputs[alias].dtype)
        first = shapes.setdefault(alias, shape)
        if count != math.prod(first):
            raise invalid(f"Expecting tensor size: {math.prod(first)} but got: {count}")
        if shape != first:
            raise invalid(f"Expecting shape {_bracketed(first)} but got: {_bracketed(shape)}")
    except ServingError as error:
        raise invalid(
            f"Failed to process element: {position} of 'instances' list. Error: {error}"
        ) from error


def _add_as_array(
    tensor: tensor_pb2.TensorProto, values: list[Any], shape: list[int], dtype: int
) -> bool:
    """Adds values of one shape to a tensor; returns False if that is not possible."""
    level: Iterable[Any] = values
    for size in shape:
        if any(type(value) is not list or len(value) != size for value in level):
            return False
        level = [element for value in level for element in value]
    return add_array(tensor, list(level), dtype)


def _add_elements(tensor: tensor_pb2.TensorProto, value: Any, shape: list[int], dtype: int) -> int:
    """Adds a value to a tensor; returns its number of elements."""
    count = 0
    # Without recursion, because lists may be nested thousands of levels deep.
    pending = [(value, 0)]
    while pending:
        value, level = pending.pop()
        if isinstance(value, list):
            _check_list(value, level, shape)
            pending += ((element, level + 1) for element in reversed(value))
            continue
        if level != len(shape):
            raise invalid(
                f"JSON Value: {value_text(value)} found at incorrect level: {level + 1} "
                f"in the JSON DOM. Expected at level: {len(shape)}"
            )
        add_value(tensor, value, dtype)
        count += 1
    return count


def _check_list(values: list[Any], level: int, shape: list[int]) -> None:
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(values) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(values)} at level: {level} "
            f"expected size: {shape[level]}"
        )


def _set_shape(tensor: tensor_pb2.TensorProto, shape: list[int], dtype: int) -> None:
    tensor.dtype = dtype
    tensor.tensor_shape.SetInParent()
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)


def _shape(value: Any) -> list[int]:
    """Returns the shape given by the first element of each list."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def _bracketed(shape: list[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _is_named(row: Any) -> bool:
    return isinstance(row, dict) and not is_base64(row)
