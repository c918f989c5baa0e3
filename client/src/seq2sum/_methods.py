"""The RPCs of TensorFlow Serving that the client calls, as data.

A method is a path and two message types, which is all that both clients and the fake server need.
They replace generated stubs, which would depend on the grpcio release that generated them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from seq2sum.protocol import (
    classification_pb2,
    model_metadata_pb2,
    model_status_pb2,
    predict_pb2,
    regression_pb2,
)

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[Request, Response]):
    """One unary RPC."""

    path: str
    """Full path on the wire, with the upstream service name."""
    request: type[Request]
    """Type of the request."""
    response: type[Response]
    """Type of the reply."""

    def parse(self, data: bytes) -> Response | DecodeError:
        """Returns the reply, or a DecodeError: gRPC would hide the error if this raised it."""
        try:
            return self.response.FromString(data)
        except DecodeError as error:
            return error


PREDICT = Method(
    "/tensorflow.serving.PredictionService/Predict",
    predict_pb2.PredictRequest,
    predict_pb2.PredictResponse,
)
CLASSIFY = Method(
    "/tensorflow.serving.PredictionService/Classify",
    classification_pb2.ClassificationRequest,
    classification_pb2.ClassificationResponse,
)
REGRESS = Method(
    "/tensorflow.serving.PredictionService/Regress",
    regression_pb2.RegressionRequest,
    regression_pb2.RegressionResponse,
)
GET_MODEL_METADATA = Method(
    "/tensorflow.serving.PredictionService/GetModelMetadata",
    model_metadata_pb2.GetModelMetadataRequest,
    model_metadata_pb2.GetModelMetadataResponse,
)
GET_MODEL_STATUS = Method(
    "/tensorflow.serving.ModelService/GetModelStatus",
    model_status_pb2.GetModelStatusRequest,
    model_status_pb2.GetModelStatusResponse,
)
METHODS: tuple[Method[Any, Any], ...] = (
    PREDICT,
    CLASSIFY,
    REGRESS,
    GET_MODEL_METADATA,
    GET_MODEL_STATUS,
)
"""All methods."""


def bound(channel: Any) -> dict[str, Any]:
    """Returns the callables for all methods on a channel of `grpc` or `grpc.aio`, by path."""
    return {
        method.path: channel.unary_unary(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.parse,
        )
        for method in METHODS
    }
