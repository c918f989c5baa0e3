"""Every call as a value: what is sent, and what the reply means. Free of any I/O.

Both clients carry these calls out; neither builds a request or reads a reply itself.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from seq2sum._errors import UnexpectedResponse
from seq2sum._methods import GET_MODEL_METADATA, GET_MODEL_STATUS, PREDICT, Method
from seq2sum._servable import Servable
from seq2sum._tensors import fill_with_strings, floats, integers, strings
from seq2sum._versions import Description, SignatureShape, State, TensorShape, VersionStatus
from seq2sum.addition import contract
from seq2sum.addition.answers import Columns, Question, refusal
from seq2sum.addition.chunks import Chunk, encoded
from seq2sum.addition.explanation import Explanation, places
from seq2sum.protocol import model_metadata_pb2, model_status_pb2, predict_pb2, tensor_pb2

Result = TypeVar("Result")

SIGNATURE_DEF = "signature_def"
"""The one metadata field that servers know."""
SIGNATURE_DEF_MAP = "tensorflow.serving.SignatureDefMap"
"""Upstream's name of the message inside: `Any.Unpack` would look for the name of our own."""
INTERNAL_SIGNATURES = "__saved_model_"
"""How names begin under which SavedModels keep operations for loading and training, as if they
were signatures (tensorflow/python/saved_model/constants.py)."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """One RPC that is to be made."""

    method: Method[Any, Any]
    """Which one."""
    servable: Servable
    """What it is for."""
    request: Message
    """What is sent."""
    read: Callable[[Any], Result]
    """The meaning of its reply; raises UnexpectedResponse."""

    def result(self, response: Any, *, target: str) -> Result:
        """The meaning of what came back.

        Raises:
            UnexpectedResponse: The reply does not keep the contract.
        """
        try:
            if isinstance(response, DecodeError):
                raise UnexpectedResponse("the reply is not a message of this method") from response
            return self.read(response)
        except UnexpectedResponse as error:
            raise error.at(target, self.servable) from error


def predict(chunk: Chunk, servable: Servable) -> Call[Columns]:
    """A Predict of the default signature, one row for each question."""
    request = _predict_request(chunk.encoded, servable, contract.DEFAULT)
    return Call(PREDICT, servable, request, lambda response: columns(chunk.questions, response))


def columns(questions: list[Question], response: predict_pb2.PredictResponse) -> Columns:
    """The reply's rows beside their questions."""
    outputs = _outputs(response, contract.DEFAULT)
    shape = (len(questions),)
    statuses = integers(outputs[contract.STATUS.name], name=contract.STATUS.name, shape=shape)
    if any(statuses) and not KNOWN_STATUSES.issuperset(statuses):
        unknown = sorted(set(statuses) - KNOWN_STATUSES)
        raise UnexpectedResponse(f"the contract has no status {unknown[0]}")
    return Columns(
        questions,
        strings(outputs[contract.ANSWERS.name], name=contract.ANSWERS.name, shape=shape),
        floats(outputs[contract.CONFIDENCE.name], name=contract.CONFIDENCE.name, shape=shape),
        statuses,
        array("q", [response.model_spec.version.value]) * len(questions),
    )


def explain(question: Question, servable: Servable) -> Call[Explanation]:
    """A Predict of the detailed signature for one question."""
    request = _predict_request([encoded(question)], servable, contract.DETAILED)
    return Call(PREDICT, servable, request, lambda response: explanation(question, response))


def explanation(question: Question, response: predict_pb2.PredictResponse) -> Explanation:
    """What the detailed reply says.

    Raises:
        InvalidQuestion: The question has no answer.
    """
    outputs = _outputs(response, contract.DETAILED)
    version = response.model_spec.version.value
    [status] = integers(outputs[contract.STATUS.name], name=contract.STATUS.name, shape=(1,))
    if status not in KNOWN_STATUSES:
        raise UnexpectedResponse(f"the contract has no status {status}")
    if status:
        raise refusal(question, status, version)
    shape = (1, None, len(contract.ALPHABET))
    name = contract.PROBABILITIES.name
    return Explanation(question, places(floats(outputs[name], name=name, shape=shape)), version)


def statuses(servable: Servable) -> Call[list[VersionStatus]]:
    """A GetModelStatus; with a version, for that one alone."""
    request = model_status_pb2.GetModelStatusRequest(model_spec=servable.spec())
    return Call(GET_MODEL_STATUS, servable, request, version_statuses)


def version_statuses(response: model_status_pb2.GetModelStatusResponse) -> list[VersionStatus]:
    """The states in the reply, newest version first."""
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


def serving(servable: Servable) -> Call[list[VersionStatus]]:
    """A GetModelMetadata that asks which version serves, under a label too.

    A Predict would need rows of the model's own kind: tensorflow_model_server 2.20.0 does not
    answer one without rows while batching is on, until others join its batch.
    """
    return Call(GET_MODEL_METADATA, servable, _metadata_request(servable), serving_version)


def serving_version(
    response: model_metadata_pb2.GetModelMetadataResponse,
) -> list[VersionStatus]:
    """The version that answered: it is available."""
    return [VersionStatus(response.model_spec.version.value, State.AVAILABLE)]


def describe(servable: Servable) -> Call[Description]:
    """A GetModelMetadata."""
    return Call(GET_MODEL_METADATA, servable, _metadata_request(servable), description)


def description(response: model_metadata_pb2.GetModelMetadataResponse) -> Description:
    """The signatures in the reply that a caller can ask for."""
    packed = response.metadata.get(SIGNATURE_DEF)
    if packed is None or packed.type_url.rpartition("/")[2] != SIGNATURE_DEF_MAP:
        raise UnexpectedResponse("the reply has no signatures")
    try:
        found = model_metadata_pb2.SignatureDefMap.FromString(packed.value)
    except DecodeError as error:
        raise UnexpectedResponse("the signatures in the reply are not readable") from error
    signatures = {
        name: SignatureShape(_shapes(each.inputs), _shapes(each.outputs))
        for name, each in sorted(found.signature_def.items())
        if not name.startswith(INTERNAL_SIGNATURES)
    }
    return Description(response.model_spec.version.value, signatures)


def _metadata_request(servable: Servable) -> model_metadata_pb2.GetModelMetadataRequest:
    return model_metadata_pb2.GetModelMetadataRequest(
        model_spec=servable.spec(), metadata_field=[SIGNATURE_DEF]
    )


KNOWN_STATUSES = frozenset(map(int, contract.Status))


def _predict_request(
    rows: list[bytes], servable: Servable, signature: contract.Signature
) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest(model_spec=servable.spec())
    request.model_spec.signature_name = signature.name
    fill_with_strings(request.inputs[contract.QUESTIONS.name], rows)
    return request


def _outputs(
    response: predict_pb2.PredictResponse, signature: contract.Signature
) -> Mapping[str, tensor_pb2.TensorProto]:
    outputs = response.outputs
    missing = [tensor.name for tensor in signature.outputs if tensor.name not in outputs]
    if missing:  # a look-up would not fail: protobuf maps make the entry that is asked for
        raise UnexpectedResponse(f"the reply lacks {missing}; it has {sorted(outputs)}")
    return outputs


def _shapes(tensors: Mapping[str, model_metadata_pb2.TensorInfo]) -> dict[str, TensorShape]:
    return {alias: _shape(info) for alias, info in sorted(tensors.items())}


def _shape(info: model_metadata_pb2.TensorInfo) -> TensorShape:
    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)
    names = {value: name for name, value in tensor_pb2.DataType.items()}
    return TensorShape(names.get(info.dtype, f"DataType {info.dtype}"), sizes)
