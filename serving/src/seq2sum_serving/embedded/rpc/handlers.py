"""Handlers of RPCs: parse the request, run it, serialize the response, convert errors to statuses.

Each call runs in its own thread, as in TensorFlow Serving, since it mostly waits: for the graph, a
batch or a load. TensorFlow releases the GIL meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.monitoring import metrics
from seq2sum_serving.embedded.prediction_service import PredictionService
from seq2sum_serving.embedded.rpc.gate import Gate, ThreadQuota
from seq2sum_serving.embedded.rpc.statuses import abort
from seq2sum_serving.embedded.server_core import ServerCore

log = logging.getLogger(__name__)

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"
ENTRY_POINT = "GRPC"
"""Label of gRPC calls in metrics."""
NO_DEADLINE_SECONDS = 1e9
"""Without a deadline, gRPC reports at least this many seconds left."""

Run = Callable[[Any, float | None], Message]
"""Runs a request, with the seconds left for it, and returns its response; raises ServingError."""


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC."""

    request: type[Message]
    """Type of its request."""
    run: Run
    """Runs it."""
    api: str = ""
    """Label of the method in metrics; empty if TensorFlow Serving does not count the method."""


def prediction_methods(predictions: PredictionService) -> dict[str, Method]:
    """Returns the RPCs of PredictionService, by path."""
    methods = {
        "Predict": Method(predict_pb2.PredictRequest, predictions.predict, "Predict"),
        "Classify": Method(
            classification_pb2.ClassificationRequest, predictions.classify, "Classify"
        ),
        "Regress": Method(regression_pb2.RegressionRequest, predictions.regress, "Regress"),
        "MultiInference": Method(inference_pb2.MultiInferenceRequest, predictions.multi_inference),
        "GetModelMetadata": Method(
            get_model_metadata_pb2.GetModelMetadataRequest,
            lambda request, _: predictions.metadata(request),
        ),
    }
    return {f"/{PREDICTION_SERVICE}/{name}": method for name, method in methods.items()}


def model_methods(core: ServerCore) -> dict[str, Method]:
    """Returns the RPCs of ModelService, by path."""
    return {
        f"/{MODEL_SERVICE}/GetModelStatus": Method(
            get_model_status_pb2.GetModelStatusRequest, lambda request, _: core.status(request)
        ),
        f"/{MODEL_SERVICE}/HandleReloadConfigRequest": Method(
            model_management_pb2.ReloadConfigRequest, lambda request, _: core.reload(request)
        ),
    }


class Handlers(grpc.GenericRpcHandler):
    """The handlers of some methods; any other method is UNIMPLEMENTED."""

    def __init__(self, methods: Mapping[str, Method], quota: ThreadQuota, gate: Gate) -> None:
        self._quota = quota
        self._gate = gate
        self._handlers: dict[str, Any] = {
            path: grpc.unary_unary_rpc_method_handler(self._handler(method))
            for path, method in methods.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Returns the handler of a method."""
        return self._handlers.get(handler_call_details.method, UNKNOWN_METHOD)

    def _handler(self, method: Method) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def handle(data: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                left = seconds_left(context)
                self._gate.enter(context, left)
                with self._quota:
                    return _run(method, data, left)
            except ServingError as error:
                abort(context, error)
            except Exception as error:
                log.exception("a call failed")
                abort(context, ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}"))

        return handle


def seconds_left(context: grpc.ServicerContext) -> float | None:
    """Returns the seconds until a call's deadline; None without a deadline."""
    left = context.time_remaining()
    return left if left is not None and left < NO_DEADLINE_SECONDS else None


def _run(method: Method, data: bytes, left: float | None) -> bytes:
    try:
        request: Any = method.request.FromString(data)
    except DecodeError as error:
        # Without a message and not counted: recorded case `predict-errors/garbage-bytes`.
        raise ServingError(Code.INTERNAL, "") from error
    if not method.api:
        return method.run(request, left).SerializeToString()
    model, started, code = request.model_spec.name, time.perf_counter(), Code.INTERNAL
    try:
        response = method.run(request, left)
        code = Code.OK
    except ServingError as error:
        code = error.code
        raise
    finally:
        metrics.REQUEST_COUNT.labels(model, code.name).inc()
    micros = (time.perf_counter() - started) * 1e6
    metrics.REQUEST_LATENCY.labels(model, method.api, ENTRY_POINT).observe(micros)
    return response.SerializeToString()


def _unimplemented(_: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "")


UNKNOWN_METHOD: Any = grpc.unary_unary_rpc_method_handler(_unimplemented)
"""UNIMPLEMENTED without a message, as from gRPC's C++ server."""
