"""Responses that are serialized directly, compared with messages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from seq2sum_serving.embedded.inference import tensor_bytes, tensors
from seq2sum_serving.embedded.inference.flat_tensor import FlatTensor
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2

pytestmark = pytest.mark.tensorflow

SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9)
TEXTS = arrays.arrays(object, SHAPES, elements=st.binary(max_size=200), fill=st.nothing())
NUMBERS = st.sampled_from(["f4", "f8", "f2", "i4", "i8", "u1", "u8", "?", "c8"]).flatmap(
    lambda dtype: arrays.arrays(dtype, SHAPES)
)


def same(array, **options):
    message = tensor_pb2.TensorProto()
    tensors.write(array, message, **options)
    return tensor_bytes.tensor(array, **options) == message.SerializeToString()


@settings(deadline=None)
@given(array=TEXTS | NUMBERS, as_content=st.booleans())
def test_bytes_of_a_tensor_are_those_of_its_message(array, as_content):
    assert same(array, as_content=as_content)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(-2, 98, dtype=np.int32),
        np.arange(200, dtype=np.int64),
        np.zeros((40, 2), np.int32),
        np.array([0, 127], np.int64),
        np.array([0, 128], np.int64),
        np.array([b"x" * 127, b"x" * 128, b"", b"\0"] * 50, object),
        np.array([np.nan, np.inf, -0.0], np.float32)[::-1],
        FlatTensor(np.zeros(0, np.float32), (0, 2**62)),
    ],
)
def test_bytes_at_the_limits_of_the_short_forms(array):
    assert same(array)


def test_bytes_of_a_quantized_tensor_name_its_dtype():
    assert same(np.array([1, 2], np.uint8), dtype=types_pb2.DT_QUINT8)


def test_response_has_outputs_and_model_spec():
    outputs = {"a" * 200: np.array([b"1", b"2" * 300], object), "b": np.float32(3)}
    data = tensor_bytes.response(
        [(tensor_bytes.key(name), tensor_bytes.tensor(array)) for name, array in outputs.items()],
        tensor_bytes.model_spec("modèle", 7, "serving_default"),
    )
    response = predict_pb2.PredictResponse.FromString(data)
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("modèle", 7, "serving_default")
    found = {name: tensors.decode(tensor).tolist() for name, tensor in response.outputs.items()}
    assert found == {name: array.tolist() for name, array in outputs.items()}


def test_response_that_is_larger_than_a_message_is_an_error(monkeypatch):
    monkeypatch.setattr(tensor_bytes, "LARGEST_MESSAGE", 10)
    with pytest.raises(ValueError, match="a response of 11 bytes"):
        tensor_bytes.response([], b"x" * 11)
