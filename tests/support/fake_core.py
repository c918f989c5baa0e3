"""A server core with one model and no graph, for tests of the REST API."""

from __future__ import annotations

from types import SimpleNamespace

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.lifecycle.states import State, VersionState
from seq2sum_serving.embedded.server_core import ModelView
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2


class FakeCore:
    """Model `m`: version 3 is available, with an input `x`; version 4 failed."""

    def handle(self, spec):
        if spec.name != "m":
            message = f"Servable not found for request: Latest({spec.name})"
            raise ServingError(Code.NOT_FOUND, message)
        return self

    def __enter__(self):
        signature = meta_graph_pb2.SignatureDef()
        signature.inputs["x"].dtype = 1
        return 3, SimpleNamespace(signatures={"serving_default": signature})

    def __exit__(self, *_):
        return None

    def models(self):
        failed = VersionState(State.END, ServingError(Code.NOT_FOUND, "<b>gone</b>"))
        states = {4: failed, 3: VersionState(State.AVAILABLE)}
        return [ModelView("m", "/models/m", {"a": 3}, states)]


def echo(request):
    """Returns the response to a Predict request, with input x as output y."""
    response = predict_pb2.PredictResponse()
    response.outputs["y"].CopyFrom(request.inputs["x"])
    return response
