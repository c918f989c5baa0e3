"""Predict requests of the tests, in TensorFlow Serving's messages."""

from __future__ import annotations

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2


def predict_request(*questions, **spec):
    """A PredictRequest; `spec` may have `name`, `signature` and `version`."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = spec.get("name", "seq2sum")
    request.model_spec.signature_name = spec.get("signature", "")
    if "version" in spec:
        request.model_spec.version.value = spec["version"]
    request.inputs["questions"].CopyFrom(tf.make_tensor_proto(list(questions), tf.string))
    return request
