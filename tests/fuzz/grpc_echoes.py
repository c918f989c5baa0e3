"""The expected gRPC replies of signatures that return their input, as TensorFlow decides.

TensorFlow's `parse_tensor` reads a TensorProto with the code that tensorflow_model_server uses, so
it decides which tensors are valid and what they contain; its rules are not repeated here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf
from fuzz.generators import models
from fuzz.generators.tensors import FIELDS
from fuzz.inputs import Call
from fuzz.replies import shorten
from google.protobuf.message import DecodeError
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

ECHOED = {
    ("fixture", "blob"): {"blob_bytes": "blob"},
    ("odd", "no_method"): {"y": "x"},
    ("odd", "no_port"): {"y": "x"},
    ("odd", "other_method"): {"y": "x"},
    ("odd", "scalar_string"): {"out": "s", "out_bytes": "s"},
    ("odd", "serving_default"): {"y": "x"},
    ("odd", "vector_string"): {"out": "s", "out_bytes": "s"},
}
"""Output to the input that it repeats, in addition to echo_<dtype> and the `types` signatures."""
MAX_ELEMENTS = 1 << 22
"""Larger tensors are not checked, because this process would need the memory."""
MAX_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Value:
    """The content of a tensor."""

    dtype: int
    shape: tuple[int, ...]
    data: bytes | tuple[bytes, ...]
    """Bytes of all elements; strings as a tuple."""


REJECTED = "INVALID_ARGUMENT"


def expected(call: Call) -> str | dict[str, Value] | None:
    """Returns the outputs that the reply must contain, or `REJECTED`; None if unknown."""
    if call.method != "Predict":
        return None
    try:
        request = predict_pb2.PredictRequest.FromString(call.data)
    except DecodeError:
        return None
    spec = request.model_spec
    signature = models.find(spec.name, spec.signature_name)
    if signature is None or request.output_filter or spec.HasField("version_label"):
        return None
    if spec.HasField("version") and spec.version.value not in models.VERSIONS[spec.name]:
        return None
    repeats = echoed(signature)
    if repeats is None or set(request.inputs) != {tensor.alias for tensor in signature.inputs}:
        return None
    values = {}
    for tensor in signature.inputs:
        proto = request.inputs[tensor.alias]
        value = REJECTED if proto.dtype != tensor.dtype else read(proto)
        if not isinstance(value, Value):
            return value
        values[tensor.alias] = value
    return {output: values[alias] for output, alias in repeats.items()}


def echoed(signature: models.Signature) -> dict[str, str] | None:
    """Returns output to input; None for a signature that does not return its input."""
    if signature.name.startswith("echo_"):
        return {"y": "x"}
    if signature.name.endswith("types"):
        return {tensor.alias: tensor.alias for tensor in signature.inputs}
    return ECHOED.get((signature.model, signature.name))


def read(proto: tensor_pb2.TensorProto) -> Value | str | None:
    """Returns a tensor's value, `REJECTED` if it is invalid, None if unknown."""
    # Sizes count even with unknown_rank: TensorShape ignores it (tensor_shape.cc of TensorFlow).
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.dtype not in FIELDS:
        return None
    # With 1 in place of 0: the server limits the sizes of empty tensors too, TensorFlow does not.
    if all(size >= 0 for size in shape) and math.prod(size or 1 for size in shape) > MAX_ELEMENTS:
        return None
    try:
        parsed = tf.io.parse_tensor(proto.SerializeToString(), tf.as_dtype(proto.dtype))
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError):
        return REJECTED
    flat = tf.reshape(parsed, [-1]).numpy()
    data = tuple(flat.tolist()) if proto.dtype == tf.string.as_datatype_enum else flat.tobytes()
    return Value(proto.dtype, shape, data)


def mismatches(expectation: str | dict[str, Value], data: bytes) -> list[str]:
    """Returns the outputs of a successful call that differ from the expected ones."""
    if expectation == REJECTED:
        return ["a tensor that TensorFlow cannot read was accepted"]
    assert isinstance(expectation, dict)
    outputs = predict_pb2.PredictResponse.FromString(data).outputs
    found = []
    for alias, expected_value in expectation.items():
        if alias not in outputs:
            found.append(f"output is missing: {alias!r}")
        elif (value := read(outputs[alias])) != expected_value:
            both = (shorten(repr(side), MAX_SHOWN) for side in (expected_value, value))
            found.append(f"output is not the input: {alias!r}, {' became '.join(both)}")
    return found
