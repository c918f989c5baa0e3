"""The RPCs of TensorFlow Serving that the client calls, as data.

A method is a path and two message types; binding one to a channel is one line, so there
are no generated stubs, and none of their ties to one release of grpcio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from seq2sum.protocol import model_status_pb2, predict_pb2

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Request_contra = TypeVar("Request_contra", bound=Message, contravariant=True)
Response_co = TypeVar("Response_co", bound=Message, covariant=True)


class Call(Protocol[Request_contra, Response_co]):
    """A method bound to a channel; `timeout` in seconds, None for no deadline."""

    def __call__(self, request: Request_contra, /, *, timeout: float | None) -> Response_co: ...


@dataclass(frozen=True, slots=True)
class Method(Generic[Request, Response]):
    """One unary RPC."""

    path: str
    """Full path on the wire, with upstream's service name."""
    request: type[Request]
    """Message that is sent."""
    response: type[Response]
    """Message that comes back."""

    def bind(self, channel: grpc.Channel) -> Call[Request, Response]:
        """This method on `channel`."""
        serialize: Callable[[Request], bytes] = self.request.SerializeToString
        deserialize: Callable[[bytes], Response] = self.response.FromString
        return channel.unary_unary(
            self.path, request_serializer=serialize, response_deserializer=deserialize
        )


PREDICT = Method(
    "/tensorflow.serving.PredictionService/Predict",
    predict_pb2.PredictRequest,
    predict_pb2.PredictResponse,
)
GET_MODEL_STATUS = Method(
    "/tensorflow.serving.ModelService/GetModelStatus",
    model_status_pb2.GetModelStatusRequest,
    model_status_pb2.GetModelStatusResponse,
)
