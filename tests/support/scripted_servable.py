"""A servable without a graph: it returns prepared arrays and records its calls."""

from __future__ import annotations

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

STRING, FLOAT = types_pb2.DT_STRING, types_pb2.DT_FLOAT


def signature(inputs, outputs, *, method="tensorflow/serving/predict", **defaults):
    """A SignatureDef; its tensors are named `<alias>:0`."""
    made = meta_graph_pb2.SignatureDef(method_name=method)
    for side, dtypes in ((made.inputs, inputs), (made.outputs, outputs)):
        for alias, dtype in dtypes.items():
            side[alias].name = f"{alias}:0"
            side[alias].dtype = dtype
    for alias, tensor in defaults.items():
        made.defaults[alias].CopyFrom(tensor)
    return made


def texts(*rows):
    return np.array(rows, object)


def floats(*rows):
    return np.array(rows, np.float32)


class ScriptedServable:
    """Returns the given outputs, arrays by alias."""

    def __init__(self, signatures, **outputs):
        self.signatures = signatures
        self.outputs = {f"{alias}:0": array for alias, array in outputs.items()}
        self.fed = []
        self.fetched = []
        self.timeouts = []
        self.closed = False

    def run(self, feeds, fetches, *, timeout=None):
        self.fed.append({name: array.tolist() for name, array in feeds.items()})
        self.fetched.append(list(fetches))
        self.timeouts.append(timeout)
        return [self.outputs[name] for name in fetches]

    def close(self):
        self.closed = True
