"""Converts the body of a classify or regress call to a request: JSON objects to tf.Examples.

The JSON values determine the type of a feature: decimals are floats, integers and booleans int64,
strings bytes. A list must not mix them.
"""

from __future__ import annotations

from typing import Any

from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import classification_pb2, regression_pb2

from seq2sum_serving.embedded.rest.json_objects import members
from seq2sum_serving.embedded.rest.json_parser import parse_object
from seq2sum_serving.embedded.rest.json_values import (
    as_floats,
    decode_base64,
    encode,
    invalid,
    invalid_document,
    is_base64,
    json_type,
)
from seq2sum_serving.embedded.rest.tensors_from_json import signature_name

_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}
_MAX_INT64 = 2**63 - 1


def fill_request(
    request: classification_pb2.ClassificationRequest | regression_pb2.RegressionRequest,
    body: bytes,
) -> None:
    """Sets the signature name and the examples of a request.

    Raises:
        ServingError: The body is invalid.
    """
    document = parse_object(body)
    request.model_spec.signature_name = signature_name(document)
    examples = request.input.example_list.examples
    if "context" in document:
        with_context = request.input.example_list_with_context
        _fill_example(with_context.context, document["context"])
        examples = with_context.examples
    if "examples" not in document:
        # The text is the same for regress.
        raise invalid_document(
            document, "When method is classify, key 'examples' is expected and was not found"
        )
    values = document["examples"]
    if not isinstance(values, list):
        raise invalid_document(document, "Expecting 'examples' value to be an list/array")
    if not values:
        raise invalid_document(document, "'examples' value is an empty array")
    for value in values:
        _fill_example(examples.add(), value)


def _fill_example(example: example_pb2.Example, value: Any) -> None:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {json_type(value)}")
    for name, content in members(value):
        feature = example.features.feature[encode(name).decode("utf-8", "replace")]
        # The last of several features with one name wins (recorded case
        # classify-regress/rest-doubled-feature).
        feature.Clear()
        for element in content if isinstance(content, list) else [content]:
            _add(feature, name, element)


def _add(feature: feature_pb2.Feature, name: str, value: Any) -> None:
    if (
        value is None
        or isinstance(value, list)
        or (isinstance(value, dict) and not is_base64(value))
    ):
        raise invalid(f"Feature: {name} has element with unexpected JSON type: {json_type(value)}")
    kind = _kind(value)
    previous = feature.WhichOneof("kind")
    if previous not in (None, kind):
        raise invalid(
            f"Unexpected element type in feature: {name} expecting type: {_KINDS[previous]}"
        )
    getattr(feature, kind).value.append(_converted(name, value))


def _kind(value: Any) -> str:
    if isinstance(value, float):
        return "float_list"
    return "int64_list" if isinstance(value, int) else "bytes_list"


def _converted(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return decode_base64(value)
    if isinstance(value, str):
        return encode(value)
    if isinstance(value, float):
        return as_floats([value], types_pb2.DT_FLOAT)[0]
    if value > _MAX_INT64:
        raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
    return int(value) if isinstance(value, bool) else value
