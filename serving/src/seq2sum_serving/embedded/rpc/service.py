"""The gRPC edge: bytes to a request, the request to whom it is for, errors to a status.

Each call runs on a thread of its own, as in TensorFlow Serving, since all it does is to wait:
for the graph, for a batch, for a load. TensorFlow lets go of Python's lock meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
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
from seq2sum_serving.embedded.prediction_service import DataPlane
from seq2sum_serving.embedded.rpc.gate import Gate
from seq2sum_serving.embedded.rpc.quota import ThreadQuota
from seq2sum_serving.embedded.rpc.statuses import abort
from seq2sum_serving.embedded.server_core import Core

log = logging.getLogger(__name__)

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"
ENTRY_POINT = "GRPC"
"""What metrics call this front."""
NEVER = 1e9
"""Seconds left, from which on a call has no deadline: gRPC writes that as a far future."""

Answer = Callable[[Any, float | None], Message]
"""From a request and the seconds left for it to its reply; raises ServingError."""


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC."""

    request: type[Message]
    """What its bytes are."""
    answer: Answer
    """Who answers it."""
    api: str = ""
    """What metrics call it; empty: it is not counted, as there."""


class Service(grpc.GenericRpcHandler):
    """PredictionService and ModelService, and a last word on every other method."""

    def __init__(self, plane: DataPlane, core: Core, quota: ThreadQuota, gate: Gate) -> None:
        self._quota = quota
        self._gate = gate
        self._handlers: dict[str, Any] = {
            path: grpc.unary_unary_rpc_method_handler(self._handler(method))
            for path, method in methods(plane, core).items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method; unknown ones are UNIMPLEMENTED without a word, as there."""
        return self._handlers.get(handler_call_details.method, UNKNOWN_METHOD)

    def _handler(self, method: Method) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def handle(data: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                left = seconds_left(context)
                self._gate.enter(context, left)
                with self._quota:
                    return _answer(method, data, left)
            except ServingError as error:
                abort(context, error)
            except Exception as error:
                log.exception("a call failed")
                abort(context, ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}"))

        return handle


def methods(plane: DataPlane, core: Core) -> dict[str, Method]:
    """Every RPC, by its path."""
    prediction = {
        "Predict": Method(
            predict_pb2.PredictRequest,
            lambda request, left: plane.predict(request, timeout=left),
            "Predict",
        ),
        "Classify": Method(
            classification_pb2.ClassificationRequest,
            lambda request, left: plane.classify(request, timeout=left),
            "Classify",
        ),
        "Regress": Method(
            regression_pb2.RegressionRequest,
            lambda request, left: plane.regress(request, timeout=left),
            "Regress",
        ),
        "MultiInference": Method(
            inference_pb2.MultiInferenceRequest,
            lambda request, left: plane.multi_inference(request, timeout=left),
        ),
        "GetModelMetadata": Method(
            get_model_metadata_pb2.GetModelMetadataRequest,
            lambda request, _: plane.metadata(request),
        ),
    }
    model = {
        "GetModelStatus": Method(
            get_model_status_pb2.GetModelStatusRequest,
            lambda request, _: core.status(request),
        ),
        "HandleReloadConfigRequest": Method(
            model_management_pb2.ReloadConfigRequest,
            lambda request, _: core.reload(request),
        ),
    }
    return {
        f"/{service}/{name}": method
        for service, named in ((PREDICTION_SERVICE, prediction), (MODEL_SERVICE, model))
        for name, method in named.items()
    }


def seconds_left(context: grpc.ServicerContext) -> float | None:
    """Seconds until the caller's deadline; None: there is none."""
    left = context.time_remaining()
    return left if left is not None and left < NEVER else None


def _answer(method: Method, data: bytes, left: float | None) -> bytes:
    try:
        request: Any = method.request.FromString(data)
    except DecodeError as error:  # without a word, as there, and not counted
        raise ServingError(Code.INTERNAL, "") from error
    if not method.api:
        return method.answer(request, left).SerializeToString()
    model, begin, code = request.model_spec.name, time.perf_counter(), Code.INTERNAL
    try:
        response = method.answer(request, left)
        code = Code.OK
    except ServingError as error:
        code = error.code
        raise
    finally:
        metrics.REQUEST_COUNT.labels(model, code.name).inc()
    micros = (time.perf_counter() - begin) * 1e6
    metrics.REQUEST_LATENCY.labels(model, method.api, ENTRY_POINT).observe(micros)
    return response.SerializeToString()


def _unimplemented(_: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "")


UNKNOWN_METHOD: Any = grpc.unary_unary_rpc_method_handler(_unimplemented)
