"""The gRPC edge: bytes to a request, the request to the data plane, errors to a status.

A handler is a plain function of a request; one place parses, runs it on a worker thread and
maps what it raises. TensorFlow lets go of Python's lock while a graph runs, so that the
event loop takes new calls meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from seq2sum_serving.embedded import inference
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.manager import Manager
from seq2sum_serving.embedded.saved_model import SavedModel
from seq2sum_serving.embedded.states import StateMonitor

log = logging.getLogger(__name__)

LONGEST_MESSAGE = 1024
"""Bytes of an error message that are sent, before the mark that it goes on."""
CUT = "...TRUNCATED"

STATUS = {status.value[0]: status for status in grpc.StatusCode}

Handler = Callable[[Any], Message]
Context = grpc.aio.ServicerContext[Any, Any]


class Service(grpc.GenericRpcHandler):
    """PredictionService and ModelService over a manager."""

    def __init__(
        self, manager: Manager[SavedModel], monitor: StateMonitor, workers: Executor
    ) -> None:
        self._manager = manager
        self._monitor = monitor
        self._workers = workers
        prediction, model = (
            "/tensorflow.serving.PredictionService/",
            "/tensorflow.serving.ModelService/",
        )
        self._methods = {
            f"{prediction}Predict": self._unary(predict_pb2.PredictRequest, self.predict),
            f"{prediction}GetModelMetadata": self._unary(
                get_model_metadata_pb2.GetModelMetadataRequest, self.get_model_metadata
            ),
            f"{model}GetModelStatus": self._unary(
                get_model_status_pb2.GetModelStatusRequest, self.get_model_status
            ),
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method; unknown ones are UNIMPLEMENTED without a word, as there."""
        return self._methods.get(handler_call_details.method, UNKNOWN_METHOD)

    def predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """Answers Predict."""
        with self._manager.handle(*_which(request)) as (version, model):
            return inference.predict(model, version, request)

    def get_model_metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Answers GetModelMetadata."""
        _require_model_spec(request)
        inference.check_metadata_fields(request.metadata_field)
        with self._manager.handle(*_which(request)) as (version, model):
            return inference.metadata(model, version, request)

    def get_model_status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Answers GetModelStatus; a label in the request is ignored, as there."""
        _require_model_spec(request)
        spec = request.model_spec
        versions = self._monitor.versions(spec.name)
        if not versions:
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {spec.name}")
        if spec.HasField("version"):
            wanted = spec.version.value
            if wanted not in versions:
                raise ServingError(
                    Code.NOT_FOUND, f"Could not find version {wanted} of model {spec.name}"
                )
            versions = {wanted: versions[wanted]}
        response = get_model_status_pb2.GetModelStatusResponse()
        for number, entry in versions.items():
            row = response.model_version_status.add(version=number, state=entry.state.value)
            row.status.SetInParent()
            if entry.error:
                row.status.error_code = entry.error.code.value
                row.status.error_message = entry.error.message
        return response

    def _unary(self, kind: type[Message], handler: Handler) -> Any:
        """An RPC that takes a `kind`; bytes that are none are INTERNAL without a word, as there."""

        def answer(data: bytes) -> bytes:
            try:
                request = kind.FromString(data)
            except DecodeError as error:
                raise ServingError(Code.INTERNAL, "") from error
            return handler(request).SerializeToString()

        async def call(data: bytes, context: Context) -> bytes:
            try:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._workers, answer, data)
            except ServingError as error:
                status, message = STATUS[error.code.value], _cut(error.message)
            except Exception as error:
                log.exception("%s failed", handler.__name__)
                status, message = grpc.StatusCode.INTERNAL, _cut(f"{type(error).__name__}: {error}")
            await context.abort(status, message)
            raise AssertionError("abort does not return")

        return grpc.unary_unary_rpc_method_handler(_untyped(call))


def _which(request: Any) -> tuple[str, int | None]:
    """The model and the version that a request is for."""
    _require_model_spec(request)
    spec = request.model_spec
    if not spec.name:
        raise ServingError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
    choice = spec.WhichOneof("version_choice")
    if choice == "version_label":
        raise ServingError(
            Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {spec.version_label}"
        )
    # An empty version message is version 0, and not the latest.
    return spec.name, spec.version.value if choice == "version" else None


def _require_model_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")


def _cut(message: str) -> str:
    raw = message.encode()
    if len(raw) <= LONGEST_MESSAGE:
        return message
    return raw[:LONGEST_MESSAGE].decode(errors="ignore") + CUT


async def _unimplemented(_: bytes, context: Context) -> bytes:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "")
    raise AssertionError("abort does not return")


def _untyped(call: Callable[[bytes, Context], Awaitable[bytes]]) -> Any:
    """Handlers of the threaded server are the only ones that grpcio's types know."""
    return call


UNKNOWN_METHOD: Any = grpc.unary_unary_rpc_method_handler(_untyped(_unimplemented))
