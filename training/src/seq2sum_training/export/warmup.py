"""Warm-up records: requests that a server replays before a version becomes AVAILABLE.

The first run of each signature is slow, because TensorFlow initializes its graph; with warm-up it
happens before the first request. The file name and format are those of TensorFlow Serving
(tensorflow/serving, servables/tensorflow/saved_model_warmup.cc).
"""

from __future__ import annotations

import os

import tensorflow as tf
from seq2sum.addition import contract
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

FILE_NAME = "tf_serving_warmup_requests"
BATCHES = (1, 8, 64, 512)
"""Rows of the warm-up requests, because small and large batches allocate memory differently."""


def write(path: str | os.PathLike[str]) -> None:
    """Writes a TFRecord file of PredictionLog, with every signature at every batch size."""
    with tf.io.TFRecordWriter(os.fspath(path)) as writer:
        for signature in contract.SIGNATURES:
            for rows in BATCHES:
                writer.write(_record(signature.name, rows).SerializeToString(deterministic=True))


def _record(signature: str, rows: int) -> prediction_log_pb2.PredictionLog:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = contract.MODEL_NAME
    request.model_spec.signature_name = signature
    questions = [f"{row % 10}+{row // 10 % 10}" for row in range(rows)]
    request.inputs[contract.QUESTIONS.name].CopyFrom(tf.make_tensor_proto(questions, tf.string))
    return prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
