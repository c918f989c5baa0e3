"""The body of a classify or regress call to its request: JSON objects become tf.Examples.

Nothing says which type a feature has: decimals are floats, whole numbers and truth values int64,
strings bytes, and a list must not mix them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import classification_pb2, regression_pb2

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.rest.json_objects import members
from seq2sum_serving.embedded.rest.json_parser import read_object
from seq2sum_serving.embedded.rest.json_values import (
    as_floats,
    decoded_base64,
    encoded,
    is_base64,
    json_type,
)
from seq2sum_serving.embedded.rest.json_writer import value_text
from seq2sum_serving.embedded.rest.tensors_from_json import signature_name

_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}
_LARGEST_INT64 = 2**63 - 1


def fill(
    request: classification_pb2.ClassificationRequest | regression_pb2.RegressionRequest,
    body: bytes,
) -> None:
    """Fills in signature name and examples.

    Raises:
        ServingError: The body does not fit.
    """
    document = read_object(body)
    request.model_spec.signature_name = signature_name(document)
    examples = request.input.example_list.examples
    if "context" in document:
        with_context = request.input.example_list_with_context
        _fill_example(with_context.context, document["context"])
        examples = with_context.examples
    if "examples" not in document:
        # Of regress too: the text is the same there.
        raise _misfit(
            document, "When method is classify, key 'examples' is expected and was not found"
        )
    values = document["examples"]
    if not isinstance(values, list):
        raise _misfit(document, "Expecting 'examples' value to be an list/array")
    if not values:
        raise _misfit(document, "'examples' value is an empty array")
    for value in values:
        _fill_example(examples.add(), value)


def _fill_example(example: example_pb2.Example, value: Any) -> None:
    if not isinstance(value, dict):
        raise _invalid(f"Example must be JSON object but got JSON {json_type(value)}")
    for name, content in members(value):
        feature = example.features.feature[encoded(name).decode("utf-8", "replace")]
        # Of several features with one name the last counts (recorded case
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
        raise _invalid(f"Feature: {name} has element with unexpected JSON type: {json_type(value)}")
    kind = _kind(value)
    found = feature.WhichOneof("kind")
    if found not in (None, kind):
        raise _invalid(
            f"Unexpected element type in feature: {name} expecting type: {_KINDS[found]}"
        )
    getattr(feature, kind).value.append(_converted(name, value))


def _kind(value: Any) -> str:
    if isinstance(value, float):
        return "float_list"
    return "int64_list" if isinstance(value, int) else "bytes_list"


def _converted(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return decoded_base64(value)
    if isinstance(value, str):
        return encoded(value)
    if isinstance(value, float):
        return as_floats([value], types_pb2.DT_FLOAT)[0]
    if value > _LARGEST_INT64:
        raise _invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
    return int(value) if isinstance(value, bool) else value


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)


def _misfit(document: Mapping[str, Any], what: str) -> ServingError:
    return _invalid(f"JSON Value: {value_text(document)} {what}")
