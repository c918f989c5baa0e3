"""Examples in JSON, as classify and regress requests have them, become features."""

from __future__ import annotations

import json

import pytest
from seq2sum_serving.embedded.rest import examples_from_json
from support.serving_errors import refusal
from tensorflow_serving.apis import classification_pb2

pytestmark = pytest.mark.tensorflow

INFINITY = float("inf")


def examples(document):
    request = classification_pb2.ClassificationRequest()
    examples_from_json.fill_request(request, json.dumps(document).encode())
    return request.input


def test_last_feature_with_a_name_wins():
    request = classification_pb2.ClassificationRequest()
    body = b'{"examples": [{"x": 0.5, "x": [1, 2]}]}'
    examples_from_json.fill_request(request, body)
    feature = request.input.example_list.examples[0].features.feature["x"]
    assert list(feature.int64_list.value) == [1, 2]


def test_large_decimals_become_infinite_features():
    feature = examples({"examples": [{"f": [1e39, -1e39, 1e-45]}]})
    feature = feature.example_list.examples[0].features.feature["f"]
    assert list(feature.float_list.value) == [INFINITY, -INFINITY, 0.0]


def test_type_of_features():
    found = examples(
        {"examples": [{"f": 0.5, "i": [1, True], "b": ["a", {"b64": "/w=="}], "e": []}]}
    )
    feature = found.example_list.examples[0].features.feature
    assert list(feature["f"].float_list.value) == [0.5]
    assert list(feature["i"].int64_list.value) == [1, 1]
    assert list(feature["b"].bytes_list.value) == [b"a", b"\xff"]
    assert feature["e"].WhichOneof("kind") is None
    found = examples({"context": {"c": 1}, "examples": [{}]})
    assert len(found.example_list_with_context.examples) == 1
    assert "c" in found.example_list_with_context.context.features.feature


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        (
            {"examples": [{"f": [0.5, 1]}]},
            "Unexpected element type in feature: f expecting type: float",
        ),
        ({"examples": [{"f": [[1]]}]}, "Feature: f has element with unexpected JSON type: Array"),
        ({"examples": [{"f": None}]}, "Feature: f has element with unexpected JSON type: Null"),
        (
            {"examples": [{"f": 2**63}]},
            "Feature: f has uint64_t element. Only int64_t is supported.",
        ),
    ],
)
def test_invalid_examples(document, message):
    assert refusal(examples, document)[1] == message
