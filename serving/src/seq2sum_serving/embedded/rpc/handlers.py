"""Handlers of RPCs: parse the request, run it, serialize the response, convert errors to statuses.

Each call runs in its own thread, as in TensorFlow Serving, since it mostly waits: for the graph, a
batch or a load. TensorFlow releases the GIL meanwhile. The exception are the calls of `start_call`,
several of which share a thread and a run of the graph.
"""

from __future__ import annotations

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

from seq2sum_serving.embedded.errors import Code, ServingError, internal_error
from seq2sum_serving.embedded.monitoring import metrics
from seq2sum_serving.embedded.prediction_service import Done, Finish, PredictionService
from seq2sum_serving.embedded.rpc.gate import Gate, ThreadQuota
from seq2sum_serving.embedded.rpc.statuses import abort
from seq2sum_serving.embedded.server_core import ServerCore

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"
ENTRY_POINT = "GRPC"
"""Label of gRPC calls in metrics."""
NO_DEADLINE_SECONDS = 1e9
"""Without a deadline, gRPC reports at least this many seconds left."""

CODE_NAMES = {code: code.name for code in Code}
"""Looked up in each call: `name` of an enumeration takes longer."""

Run = Callable[[Any, float | None], Message | bytes]
"""Runs a request, with the seconds left for it, and returns its response, which may be serialized;
raises ServingError."""
Start = Callable[[Any, float | None, Done], Finish | None]
"""Starts a request that shares a run with others; returns None if it cannot share one."""
Reply = Callable[["bytes | ServingError"], None]
"""Receives a serialized response, or an error."""


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC."""

    request: type[Message]
    """Type of its request."""
    run: Run
    """Runs it."""
    api: str = ""
    """Label of the method in metrics; empty if TensorFlow Serving does not count the method."""
    start: Start | None = None
    """Starts it without waiting for its end; None if it cannot."""


def prediction_methods(predictions: PredictionService) -> dict[str, Method]:
    """Returns the RPCs of PredictionService, by path."""
    methods = {
        "Predict": Method(
            predict_pb2.PredictRequest,
            predictions.predict_bytes,
            "Predict",
            predictions.start_predict,
        ),
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
                left = _seconds_left(context)
                self._gate.enter(context, left)
                with self._quota:
                    return run_call(method, data, left)
            except ServingError as error:
                abort(context, error)
            except Exception as error:  # noqa: BLE001  # logged
                abort(context, internal_error(error))

        return handle


def _seconds_left(context: grpc.ServicerContext) -> float | None:
    """Returns the seconds until a call's deadline; None without a deadline."""
    left = context.time_remaining()
    return left if left is not None and left < NO_DEADLINE_SECONDS else None


def run_call(method: Method, data: bytes, left: float | None) -> bytes:
    """Runs a call, and returns its serialized response.

    Raises:
        ServingError: The call failed.
    """
    request = _parse(method, data)
    if not method.api:
        return _serialized(method.run(request, left))
    started = time.perf_counter()
    try:
        response = method.run(request, left)
    except ServingError as error:
        _count(request, error.code)
        raise
    except Exception:
        _count(request, Code.INTERNAL)
        raise
    _count_success(method, request, started)
    return _serialized(response)


def start_call(method: Method, data: bytes, left: float | None, reply: Reply) -> Finish | None:
    """Starts a call that shares a run with others; returns None if it cannot share one.

    Call the returned function when no further calls are to join the run.

    Args:
        method: The method.
        data: The serialized request.
        left: Seconds until the deadline; None: no deadline.
        reply: Called once, from any thread, at the end of a call that was started.

    Raises:
        ServingError: The call failed at once.
    """
    if method.start is None:
        return None
    request, started = _parse(method, data), time.perf_counter()

    def done(outcome: bytes | ServingError) -> None:
        if isinstance(outcome, ServingError):
            _count(request, outcome.code)
        else:
            _count_success(method, request, started)
        reply(outcome)

    try:
        return method.start(request, left, done)
    except ServingError as error:
        _count(request, error.code)
        raise
    except Exception:
        _count(request, Code.INTERNAL)
        raise


def _parse(method: Method, data: bytes) -> Any:
    try:
        return method.request.FromString(data)
    except DecodeError as error:
        # Without a message and not counted: recorded case `predict-errors/garbage-bytes`.
        raise ServingError(Code.INTERNAL, "") from error


def _serialized(response: Message | bytes) -> bytes:
    return response if isinstance(response, bytes) else response.SerializeToString()


def _count(request: Any, code: Code) -> None:
    metrics.REQUEST_COUNT.labels(request.model_spec.name, CODE_NAMES[code]).inc()


def _count_success(method: Method, request: Any, started: float) -> None:
    _count(request, Code.OK)
    micros = (time.perf_counter() - started) * 1e6
    latency = metrics.REQUEST_LATENCY.labels(request.model_spec.name, method.api, ENTRY_POINT)
    latency.observe(micros)


def _unimplemented(_: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "")


UNKNOWN_METHOD: Any = grpc.unary_unary_rpc_method_handler(_unimplemented)
"""UNIMPLEMENTED without a message, as from gRPC's C++ server."""
