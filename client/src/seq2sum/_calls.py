"""RPCs as values: the request that is sent, and the function that reads the reply. No I/O.

Both clients execute these calls; neither builds a request or reads a reply itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from google.protobuf.message import DecodeError, Message

from seq2sum._errors import UnexpectedResponse
from seq2sum._methods import GET_MODEL_METADATA, GET_MODEL_STATUS, Method
from seq2sum._servable import Servable
from seq2sum._versions import ModelMetadata, SignatureSpec, State, TensorSpec, VersionStatus
from seq2sum.protocol import model_metadata_pb2, model_status_pb2, tensor_pb2

Result = TypeVar("Result")

SIGNATURE_DEF = "signature_def"
"""The only metadata field that servers support."""
SIGNATURE_DEF_MAP = "tensorflow.serving.SignatureDefMap"
"""The upstream name of the message in that field: `Any.Unpack` would expect our own package."""
INTERNAL_SIGNATURES = "__saved_model_"
"""Prefix of the signatures under which SavedModels keep operations for loading and training
(tensorflow/python/saved_model/constants.py)."""
ROWS_PER_CALL = 4096
"""Rows in one Predict. More brings no throughput and occupies a server's batch for longer."""
BYTES_PER_CALL = 1 << 20
"""Bytes of rows in one Predict: proxies may have gRPC's default limit of 4 MB. A single row that
is larger is sent alone."""


class Call(NamedTuple, Generic[Result]):
    """One RPC that has not been sent yet. A tuple, because every call creates one."""

    method: Method[Any, Any]
    servable: Servable
    """The servable that it goes to, for error messages."""
    request: Message
    read: Callable[[Any], Result]
    """Reads the reply; raises UnexpectedResponse."""

    def result(self, response: Any, *, target: str) -> Result:
        """Returns the content of the reply.

        Raises:
            UnexpectedResponse: The reply breaks the contract.
        """
        try:
            if isinstance(response, DecodeError):
                raise UnexpectedResponse("the reply is not a message of this method") from response
            return self.read(response)
        except UnexpectedResponse as error:
            raise error.at(target, self.servable) from error


CallFactory = Callable[[Servable], Call[Result]]
"""Returns the same call for any servable: shadows repeat calls to another version."""


class PendingCall(Generic[Result]):
    """An RPC in flight on a synchronous channel.

    Args:
        future: gRPC's future of the reply.
        read: Waits for the future and returns the content of the reply.
    """

    def __init__(self, future: Any, read: Callable[[], Result]) -> None:
        self._future = future
        self.result = read
        self.done: Callable[[], bool] = future.done
        self.cancel: Callable[[], bool] = future.cancel

    def with_result(self, read: Callable[[], Result]) -> PendingCall[Result]:
        """Returns the same RPC with another function that waits and returns the content."""
        return PendingCall(self._future, read)

    def when_done(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once the call has ended, on gRPC's thread or at once."""
        self._future.add_done_callback(lambda _: callback())


def statuses(servable: Servable) -> Call[list[VersionStatus]]:
    """Returns a GetModelStatus call for all versions, or for the servable's version alone."""
    request = model_status_pb2.GetModelStatusRequest(model_spec=servable.spec())
    return Call(GET_MODEL_STATUS, servable, request, _version_statuses)


def serving_version(servable: Servable) -> Call[list[VersionStatus]]:
    """Returns a GetModelMetadata call whose reply names the version that serves.

    A Predict would need input rows that this model accepts: with batching on,
    tensorflow_model_server 2.20.0 does not reply to a request without rows until others join its
    batch.
    """
    return Call(GET_MODEL_METADATA, servable, _metadata_request(servable), _serving_version)


def model_metadata(servable: Servable) -> Call[ModelMetadata]:
    """Returns a GetModelMetadata call for the signatures of a model version."""
    return Call(GET_MODEL_METADATA, servable, _metadata_request(servable), _model_metadata)


def _version_statuses(response: model_status_pb2.GetModelStatusResponse) -> list[VersionStatus]:
    """Returns the states in the reply, newest version first."""
    known = {state.value for state in State}
    return sorted(
        (
            VersionStatus(
                entry.version,
                State(entry.state if entry.state in known else State.UNKNOWN),
                entry.status.error_message,
            )
            for entry in response.model_version_status
        ),
        key=lambda entry: -entry.version,
    )


def _serving_version(
    response: model_metadata_pb2.GetModelMetadataResponse,
) -> list[VersionStatus]:
    return [VersionStatus(response.model_spec.version.value, State.AVAILABLE)]


def _model_metadata(response: model_metadata_pb2.GetModelMetadataResponse) -> ModelMetadata:
    """Returns the version and its signatures, without those that are internal to SavedModels."""
    packed = response.metadata.get(SIGNATURE_DEF)
    if packed is None or packed.type_url.rpartition("/")[2] != SIGNATURE_DEF_MAP:
        raise UnexpectedResponse("the reply has no signatures")
    try:
        found = model_metadata_pb2.SignatureDefMap.FromString(packed.value)
    except DecodeError as error:
        raise UnexpectedResponse("the signatures in the reply are not readable") from error
    signatures = {
        name: SignatureSpec(
            _tensor_specs(each.inputs), _tensor_specs(each.outputs), frozenset(each.defaults)
        )
        for name, each in sorted(found.signature_def.items())
        if not name.startswith(INTERNAL_SIGNATURES)
    }
    return ModelMetadata(response.model_spec.version.value, signatures)


def _metadata_request(servable: Servable) -> model_metadata_pb2.GetModelMetadataRequest:
    return model_metadata_pb2.GetModelMetadataRequest(
        model_spec=servable.spec(), metadata_field=[SIGNATURE_DEF]
    )


def _tensor_specs(tensors: Mapping[str, model_metadata_pb2.TensorInfo]) -> dict[str, TensorSpec]:
    return {alias: _tensor_spec(info) for alias, info in sorted(tensors.items())}


def _tensor_spec(info: model_metadata_pb2.TensorInfo) -> TensorSpec:
    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)
    names = {value: name for name, value in tensor_pb2.DataType.items()}
    return TensorSpec(names.get(info.dtype, f"DataType {info.dtype}"), sizes)
