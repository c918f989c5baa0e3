"""Runs whose tensors enter and leave the graph as serialized TensorProtos.

TensorFlow's Python interface exchanges numpy arrays. Tensors that numpy cannot represent pass
through operations added to the graph: ParseTensor in place of each input, SerializeTensor behind
each output. This is slower, so the operations are added only when such a tensor occurs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import config_pb2

from seq2sum_serving.embedded.inference import tensorflow_parts as tf
from seq2sum_serving.embedded.inference import tensors
from seq2sum_serving.embedded.inference.flat_tensor import reshape
from seq2sum_serving.embedded.inference.servable import Arrays


class ProtoRun:
    """A run with fixed inputs and outputs. Safe to use from any thread."""

    def __init__(self, session: Any, feeds: Sequence[Any], fetches: Sequence[Any]) -> None:
        """Adds operations to the session's graph, for the tensors to feed and to fetch."""
        options = config_pb2.CallableOptions()
        with session.graph.as_default():
            for tensor in feeds:
                serialized = tf.placeholder(tf.string, [])
                parsed = tf.parse_tensor(serialized, tensor.dtype.base_dtype)
                options.feed.append(serialized.name)
                options.tensor_connection.add(from_tensor=parsed.name, to_tensor=tensor.name)
            for tensor in fetches:
                options.fetch.append(tf.serialize_tensor(tensor).name)
        self._run = session._make_callable_from_options(options)

    def __call__(self, arrays: Sequence[Any]) -> Arrays:
        """Runs the graph.

        Raises:
            tf.errors.OpError: The run failed.
        """
        serialized = (tensors.encode(array).SerializeToString() for array in arrays)
        outputs = self._run(*(np.array(text, object) for text in serialized))
        return [_array(tensor_pb2.TensorProto.FromString(output)) for output in outputs]


def _array(output: tensor_pb2.TensorProto) -> Any:
    shape = tuple(dim.size for dim in output.tensor_shape.dim)
    return reshape(tensors.elements(output), shape)
