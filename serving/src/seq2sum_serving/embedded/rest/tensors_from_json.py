"""The body of a predict call to a PredictRequest, in row form (`instances`) or columnar (`inputs`).

There are two ways to the same tensor. `_at_once` converts lists of one plain kind as whole arrays;
for anything else it gives up, and `_one_by_one` goes from value to value and says what is wrong
with the first one that is, in TensorFlow Serving's words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.rest.json_parser import read_object
from seq2sum_serving.embedded.rest.json_values import add_array, add_value, is_base64
from seq2sum_serving.embedded.rest.json_writer import value_text

Inputs = Mapping[str, Any]
"""TensorInfo messages by alias."""


class Format(Enum):
    """How inputs and outputs are laid out."""

    ROW = "row"
    COLUMNAR = "columnar"


def fill(
    request: predict_pb2.PredictRequest, body: bytes, signature_inputs: Callable[[str], Inputs]
) -> Format:
    """Fills in signature name and inputs.

    Args:
        request: The request; its model_spec names the model already.
        body: JSON text.
        signature_inputs: The inputs of a signature by its name as sent, perhaps empty.

    Raises:
        ServingError: The body does not fit.
    """
    document = read_object(body)
    request.model_spec.signature_name = signature_name(document)
    inputs = signature_inputs(request.model_spec.signature_name)
    if not inputs:
        signature = request.model_spec.signature_name or "DEFAULT"
        raise _invalid(f"Failed to get input map for signature: {signature}")
    if "instances" in document:
        instances = document["instances"]
        if "inputs" in document:
            raise _misfit(
                document,
                "Not formatted correctly expecting only one of 'inputs' or 'instances' keys "
                "to exist ",
            )
        if not isinstance(instances, list):
            raise _misfit(document, "Expecting 'instances' to be an list/array")
        if not instances:
            raise _misfit(document, "No values in 'instances' array")
        _fill_rows(request.inputs, instances, inputs)
        return Format.ROW
    if "inputs" not in document:
        raise _invalid("Missing 'inputs' or 'instances' key")
    _fill_columns(request.inputs, document["inputs"], inputs)
    return Format.COLUMNAR


def signature_name(document: Mapping[str, Any]) -> str:
    """The signature that a body asks for; empty for the default one."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise _misfit(
            document, "not formatted correctly. 'signature_name' key must be a string value."
        )
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _fill_columns(tensors: Any, value: Any, inputs: Inputs) -> None:
    if isinstance(value, dict) and not is_base64(value):
        for alias, info in inputs.items():
            if alias not in value:
                raise _invalid(f"Missing named input: {alias} in 'inputs' object.")
            _fill_tensor(tensors[alias], value[alias], info.dtype)
        return
    if len(inputs) > 1:
        raise _invalid(
            "inputs is a plain value/list, but expecting an object as multiple input tensors "
            "required as per tensorinfo_map"
        )
    ((alias, info),) = inputs.items()
    _fill_tensor(tensors[alias], value, info.dtype)


def _fill_tensor(tensor: tensor_pb2.TensorProto, value: Any, dtype: int) -> None:
    shape = _shape(value)
    if not _at_once(tensor, [value], shape, dtype):
        _one_by_one(tensor, value, shape, dtype)
    _finish(tensor, shape, dtype)


def _fill_rows(tensors: Any, rows: list[Any], inputs: Inputs) -> None:
    if len(inputs) > 1 and not isinstance(rows[0], dict):
        raise _invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    columns = _columns(rows, inputs)
    if columns is not None and _fill_columns_at_once(tensors, columns, inputs):
        return
    tensors.clear()
    _fill_rows_one_by_one(tensors, rows, inputs)


def _columns(rows: list[Any], inputs: Inputs) -> dict[str, list[Any]] | None:
    """The rows' values by alias; None unless all rows are alike."""
    if not _is_named(rows[0]):
        alias = next(iter(inputs))
        return None if any(map(_is_named, rows)) else {alias: rows}
    aliases = inputs.keys()
    if "b64" in aliases or any(type(row) is not dict or row.keys() != aliases for row in rows):
        return None
    return {alias: [row[alias] for row in rows] for alias in aliases}


def _fill_columns_at_once(tensors: Any, columns: dict[str, list[Any]], inputs: Inputs) -> bool:
    for alias, values in columns.items():
        dtype = inputs[alias].dtype
        shape = _shape(values[0])
        if not _at_once(tensors[alias], values, shape, dtype):
            return False
        _finish(tensors[alias], [len(values), *shape], dtype)
    return True


def _fill_rows_one_by_one(tensors: Any, rows: list[Any], inputs: Inputs) -> None:
    shapes: dict[str, list[int]] = {}
    named = _is_named(rows[0])
    for index, row in enumerate(rows):
        if named != _is_named(row):
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise _invalid(f"Expecting {expected} but got {got} at item {index} of input list")
        if not named:
            alias = next(iter(inputs))
            _add_item(tensors, alias, row, inputs, shapes, f"{index}")
            continue
        for alias, value in row.items():
            _add_item(tensors, alias, value, inputs, shapes, f"{index} key: {alias}")
        if row.keys() != inputs.keys():
            raise _invalid(
                f"Failed to process element: {index} of 'instances' list. JSON object: "
                f"{value_text(row)} keys must be equal to: {','.join(sorted(inputs))}"
            )
    for alias, shape in shapes.items():
        _finish(tensors[alias], [len(rows), *shape], inputs[alias].dtype)


def _add_item(
    tensors: Any,
    alias: str,
    value: Any,
    inputs: Inputs,
    shapes: dict[str, list[int]],
    where: str,
) -> None:
    try:
        if alias not in inputs:
            raise _invalid(f"JSON object: does not have named input: {alias}")
        shape = _shape(value)
        count = _one_by_one(tensors[alias], value, shape, inputs[alias].dtype)
        first = shapes.setdefault(alias, shape)
        if count != _size(first):
            raise _invalid(f"Expecting tensor size: {_size(first)} but got: {count}")
        if shape != first:
            raise _invalid(f"Expecting shape {_bracketed(first)} but got: {_bracketed(shape)}")
    except ServingError as error:
        raise _invalid(
            f"Failed to process element: {where} of 'instances' list. Error: {error}"
        ) from error


def _at_once(
    tensor: tensor_pb2.TensorProto, values: list[Any], shape: list[int], dtype: int
) -> bool:
    """Adds values of one shape to a tensor; False if they are not that plain."""
    level: Iterable[Any] = values
    for size in shape:
        if any(type(value) is not list or len(value) != size for value in level):
            return False
        level = [element for value in level for element in value]
    return add_array(tensor, list(level), dtype)


def _one_by_one(tensor: tensor_pb2.TensorProto, value: Any, shape: list[int], dtype: int) -> int:
    """Adds one value to a tensor; returns how many numbers or strings it has."""
    count = 0
    # No recursion: lists may be nested in thousands.
    pending = [(value, 0)]
    while pending:
        value, level = pending.pop()
        if isinstance(value, list):
            _check_list(value, level, shape)
            pending += ((element, level + 1) for element in reversed(value))
            continue
        if level != len(shape):
            raise _invalid(
                f"JSON Value: {value_text(value)} found at incorrect level: {level + 1} "
                f"in the JSON DOM. Expected at level: {len(shape)}"
            )
        add_value(tensor, value, dtype)
        count += 1
    return count


def _check_list(values: list[Any], level: int, shape: list[int]) -> None:
    if level >= len(shape):
        raise _invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(values) != shape[level]:
        raise _invalid(
            f"Encountered list at unexpected size: {len(values)} at level: {level} "
            f"expected size: {shape[level]}"
        )


def _finish(tensor: tensor_pb2.TensorProto, shape: list[int], dtype: int) -> None:
    tensor.dtype = dtype
    tensor.tensor_shape.SetInParent()
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)


def _shape(value: Any) -> list[int]:
    """The shape that the first elements have."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def _size(shape: list[int]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _bracketed(shape: list[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _is_named(row: Any) -> bool:
    return isinstance(row, dict) and not is_base64(row)


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)


def _misfit(document: Mapping[str, Any], what: str) -> ServingError:
    return _invalid(f"JSON Value: {value_text(document)} {what}")
