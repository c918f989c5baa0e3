"""Converts replies to JSON text in TensorFlow Serving's layout.

A tensor becomes a list of texts, which templates combine, so that a reply with thousands of rows
takes a few passes over lists.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence

import numpy as np
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import classification_pb2, regression_pb2

from seq2sum_serving.embedded.inference import datatypes, tensors
from seq2sum_serving.embedded.rest.json_values import FIELDS, invalid
from seq2sum_serving.embedded.rest.json_writer import (
    INDENT,
    decimal_texts,
    string_text,
    string_texts,
)
from seq2sum_serving.embedded.rest.tensors_from_json import Format

Tensors = Mapping[str, tensor_pb2.TensorProto]
"""Outputs by alias."""

BYTES_SUFFIX = "_bytes"
"""String tensors whose alias has this suffix are written as base64."""

_DECIMAL = (types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE)


def predict_text(outputs: Tensors, layout: Format) -> str:
    """Returns the body of a predict call's reply.

    Raises:
        ServingError: JSON cannot express an output, or the numbers of rows differ.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    write = _rows if layout is Format.ROW else _columns
    return write({alias: outputs[alias] for alias in sorted(outputs)})


def classify_text(result: classification_pb2.ClassificationResult) -> str:
    """Returns the body of a classify call's reply: pairs of label and score for each example."""
    if not result.classifications:
        raise invalid("Cannot convert empty ClassificationResults to JSON")
    examples = [
        f"[{', '.join(_pairs(classification.classes))}]"
        for classification in result.classifications
    ]
    return _named("results", f"[{', '.join(examples)}\n{INDENT}]")


def regress_text(result: regression_pb2.RegressionResult) -> str:
    """Returns the body of a regress call's reply: a number for each example."""
    if not result.regressions:
        raise invalid("Cannot convert empty RegressionResults to JSON")
    values = np.array([regression.value for regression in result.regressions], np.float32)
    return _named("results", f"[{', '.join(decimal_texts(values))}]")


def _pairs(classes: Sequence[classification_pb2.Class]) -> list[str]:
    scores = decimal_texts(np.array([entry.score for entry in classes], np.float32))
    labels = string_texts([entry.label for entry in classes])
    return [f"[{label}, {score}]" for label, score in zip(labels, scores, strict=True)]


def _columns(outputs: Tensors) -> str:
    is_single = len(outputs) == 1
    level = 1 if is_single else 2
    columns = {}
    for alias, tensor in outputs.items():
        shape = _shape(tensor)
        texts = _element_texts(alias, tensor, level + len(shape))
        columns[alias] = _nested(texts, shape, level)
    if is_single:
        return _named("outputs", *columns.values())
    lines = f",\n{INDENT * 2}".join(
        f"{string_text(name)}: {text}" for name, text in columns.items()
    )
    return _named("outputs", f"{{\n{INDENT * 2}{lines}\n{INDENT}}}")


def _rows(outputs: Tensors) -> str:
    _check_rows(outputs)
    is_single = len(outputs) == 1
    columns = {}
    for alias, tensor in outputs.items():
        shape = _shape(tensor)
        texts = _element_texts(alias, tensor, (1 if is_single else 2) + len(shape))
        columns[alias] = _on_one_line(texts, shape)
    if is_single:
        ((_, texts),) = columns.items()
        return _named("predictions", f"[{', '.join(texts)}\n{INDENT}]" if texts else "[]")
    keys = (f"{string_text(alias).replace('%', '%%')}: %s" for alias in columns)
    template = f"{{\n{INDENT * 3}" + f",\n{INDENT * 3}".join(keys) + f"\n{INDENT * 2}}}"
    rows = [template % row for row in zip(*columns.values(), strict=True)]
    if not rows:
        return _named("predictions", "[]")
    lines = f",\n{INDENT * 2}".join(rows)
    return _named("predictions", f"[\n{INDENT * 2}{lines}\n{INDENT}]")


def _check_rows(outputs: Tensors) -> None:
    expected = -1
    for alias, tensor in outputs.items():
        if not tensor.tensor_shape.dim:
            raise invalid(f"Tensor name: {alias} has no shape information ")
        size = tensor.tensor_shape.dim[0].size
        if expected >= 0 and size != expected:
            raise invalid(
                f"Tensor name: {alias} has inconsistent batch size: {size} expecting: {expected}"
            )
        expected = size


def _shape(tensor: tensor_pb2.TensorProto) -> list[int]:
    return [dim.size for dim in tensor.tensor_shape.dim]


def _element_texts(alias: str, tensor: tensor_pb2.TensorProto, level: int) -> list[str]:
    """Returns the elements of a tensor as text, nested in `level` objects and lists."""
    dtype, array = tensor.dtype, tensors.elements(tensor)
    if dtype not in FIELDS and array.size:
        raise invalid(f"Failed to write JSON value for tensor type: {datatypes.name(dtype)}")
    if dtype in _DECIMAL:
        return decimal_texts(array)
    flat = array.tolist()
    if dtype == types_pb2.DT_BOOL:
        return ["true" if value else "false" for value in flat]
    if dtype != types_pb2.DT_STRING:
        return list(map(str, flat))
    if not alias.endswith(BYTES_SUFFIX):
        return string_texts(flat)
    inner, outer = INDENT * (level + 1), INDENT * level
    return [
        f'{{\n{inner}"b64": "{base64.b64encode(value).decode("ascii")}"\n{outer}}}'
        for value in flat
    ]


def _nested(texts: list[str], shape: Sequence[int], level: int) -> str:
    """Formats nested lists with one element per line."""
    for depth in reversed(range(len(shape))):
        inner, outer = INDENT * (level + depth + 1), INDENT * (level + depth)
        texts = [
            f"[\n{inner}" + f",\n{inner}".join(group) + f"\n{outer}]" if group else "[]"
            for group in _groups(texts, shape, depth)
        ]
    return texts[0]


def _on_one_line(texts: list[str], shape: Sequence[int]) -> list[str]:
    """Formats nested lists on one line, for each index of the first dimension."""
    for depth in reversed(range(1, len(shape))):
        texts = [f"[{', '.join(group)}]" for group in _groups(texts, shape, depth)]
    return texts


def _groups(texts: list[str], shape: Sequence[int], depth: int) -> list[list[str]]:
    """Splits the texts into groups of the size of dimension `depth`."""
    size = shape[depth]
    count = math.prod(shape[:depth])
    return [texts[index * size : (index + 1) * size] for index in range(count)]


def _named(name: str, value: str) -> str:
    return f'{{\n{INDENT}"{name}": {value}\n}}'
