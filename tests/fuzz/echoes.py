"""What signatures that send their input back must answer over gRPC, by TensorFlow itself.

TensorFlow's `parse_tensor` reads a TensorProto with the same code as the real server, so it decides
which tensors are valid and what they hold; no rule of a TensorProto is repeated here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf
from fuzz.generators import models
from fuzz.generators.tensors import FIELDS
from fuzz.inputs import Call
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
"""Output to the input that it repeats, beside echo_<dtype> and the two signatures of types."""
MOST_ELEMENTS = 1 << 22
"""Tensors of more are not looked at: reading them would cost this process the memory."""


@dataclass(frozen=True, slots=True)
class Value:
    """The content of a tensor."""

    dtype: int
    shape: tuple[int, ...]
    data: bytes | tuple[bytes, ...]
    """Of all elements; strings one by one."""


REFUSED = "INVALID_ARGUMENT"


def expected(question: Call) -> str | dict[str, Value] | None:
    """The outputs that must be among those of the reply, or `REFUSED`; None: not known."""
    if question.method != "Predict":
        return None
    try:
        request = predict_pb2.PredictRequest.FromString(question.data)
    except DecodeError:
        return None
    spec = request.model_spec
    signature = models.named(spec.name, spec.signature_name)
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
        value = REFUSED if proto.dtype != tensor.dtype else read(proto)
        if not isinstance(value, Value):
            return value
        values[tensor.alias] = value
    return {output: values[alias] for output, alias in repeats.items()}


def echoed(signature: models.Signature) -> dict[str, str] | None:
    """Output to input; None for a signature that does not echo."""
    if signature.name.startswith("echo_"):
        return {"y": "x"}
    if signature.name.endswith("types"):
        return {tensor.alias: tensor.alias for tensor in signature.inputs}
    return ECHOED.get((signature.model, signature.name))


def read(proto: tensor_pb2.TensorProto) -> Value | str | None:
    """A tensor's value, `REFUSED` if it is not valid, None if that is not known."""
    # Sizes count even with unknown_rank: TensorShape ignores it (tensor_shape.cc of TensorFlow).
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.dtype not in FIELDS:
        return None
    # With 1 in place of 0: the server limits the sizes of empty tensors too, TensorFlow does not.
    if all(size >= 0 for size in shape) and math.prod(size or 1 for size in shape) > MOST_ELEMENTS:
        return None
    try:
        parsed = tf.io.parse_tensor(proto.SerializeToString(), tf.as_dtype(proto.dtype))
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError):
        return REFUSED
    flat = tf.reshape(parsed, [-1]).numpy()
    data = tuple(flat.tolist()) if proto.dtype == tf.string.as_datatype_enum else flat.tobytes()
    return Value(proto.dtype, shape, data)


def departures(expectation: str | dict[str, Value], data: bytes) -> list[str]:
    """Where the outputs of an answered call are not the expected ones."""
    if expectation == REFUSED:
        return ["a tensor that TensorFlow cannot read was accepted"]
    assert isinstance(expectation, dict)
    outputs = predict_pb2.PredictResponse.FromString(data).outputs
    found = []
    for alias, wanted in expectation.items():
        if alias not in outputs:
            found.append(f"output is missing: {alias!r}")
        elif (seen := read(outputs[alias])) != wanted:
            found.append(
                f"output is not the input: {alias!r}, {brief(wanted)} became {brief(seen)}"
            )
    return found


def brief(value: object) -> str:
    text = repr(value)
    return text if len(text) < 300 else f"{text[:300]}..."
