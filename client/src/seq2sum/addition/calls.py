"""The calls to a model that adds: requests from questions, and answers from replies. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from seq2sum import _calls
from seq2sum._calls import Call, CallFactory
from seq2sum._coalescing import Request
from seq2sum._errors import UnexpectedResponse
from seq2sum._methods import PREDICT
from seq2sum._options import CallTarget
from seq2sum._servable import Servable
from seq2sum._tensors import fill_with_strings, floats, integers, strings
from seq2sum.addition import contract
from seq2sum.addition.answers import Answer, Columns, Question, invalid_question
from seq2sum.addition.chunks import Chunk, encoded
from seq2sum.addition.description import Description
from seq2sum.addition.explanation import Explanation, positions
from seq2sum.protocol import predict_pb2, tensor_pb2

KNOWN_STATUSES = frozenset(map(int, contract.Status))


def predict(chunk: Chunk, servable: Servable) -> Call[Columns]:
    """Returns a Predict call of the default signature, one row for each question."""
    request = _predict_request(chunk.encoded, servable, contract.DEFAULT)
    return Call(PREDICT, servable, request, lambda response: columns(chunk.questions, response))


def columns(questions: list[Question], response: predict_pb2.PredictResponse) -> Columns:
    """Returns the questions with the reply's rows.

    Raises:
        UnexpectedResponse: The reply breaks the contract.
    """
    outputs = _outputs(response, contract.DEFAULT)
    rows = len(questions)
    shape = (rows,)
    statuses = integers(outputs[contract.STATUS.name], name=contract.STATUS.name, shape=shape)
    if any(statuses):
        _check_statuses(statuses)
    return Columns(
        questions,
        strings(outputs[contract.ANSWERS.name], name=contract.ANSWERS.name, shape=shape),
        floats(outputs[contract.CONFIDENCE.name], name=contract.CONFIDENCE.name, shape=shape),
        statuses,
        [response.model_spec.version.value] * rows,
    )


class QuestionMerging:
    """Merges concurrent questions: items are pairs of a question and its bytes."""

    def merged(self, items: list[tuple[Question, bytes]]) -> CallFactory[Columns]:
        """Returns a Predict call of the default signature."""
        chunk = Chunk([question for question, _ in items], [raw for _, raw in items])
        return partial(predict, chunk)

    def results(self, items: list[tuple[Question, bytes]], reply: Columns) -> list[Answer]:
        """Returns an answer for each question."""
        del items  # the reply has the questions
        return reply.answers()


MERGING = QuestionMerging()


def mergeable(question: Question, target: CallTarget) -> Request:
    """Returns a question as a request that may share a call with others of its target."""
    raw = encoded(question)
    return Request((question, raw), MERGING, target, len(raw))


def explain(question: Question, servable: Servable) -> Call[Explanation]:
    """Returns a Predict call of the detailed signature for one question."""
    request = _predict_request([encoded(question)], servable, contract.DETAILED)
    return Call(PREDICT, servable, request, lambda response: explanation(question, response))


def explanation(question: Question, response: predict_pb2.PredictResponse) -> Explanation:
    """Returns the content of the detailed reply.

    Raises:
        InvalidQuestion: The question has no answer.
        UnexpectedResponse: The reply breaks the contract.
    """
    outputs = _outputs(response, contract.DETAILED)
    version = response.model_spec.version.value
    [status] = integers(outputs[contract.STATUS.name], name=contract.STATUS.name, shape=(1,))
    _check_statuses([status])
    if status:
        raise invalid_question(question, status, version)
    shape = (1, None, len(contract.ALPHABET))
    name = contract.PROBABILITIES.name
    return Explanation(question, positions(floats(outputs[name], name=name, shape=shape)), version)


def describe(servable: Servable) -> Call[Description]:
    """Returns a GetModelMetadata call."""
    call = _calls.model_metadata(servable)

    def description(response: object) -> Description:
        metadata = call.read(response)
        return Description(metadata.version, metadata.signatures)

    return Call(call.method, servable, call.request, description)


def _check_statuses(statuses: Sequence[int]) -> None:
    if not KNOWN_STATUSES.issuperset(statuses):
        unknown = min(set(statuses) - KNOWN_STATUSES)
        raise UnexpectedResponse(f"the contract has no status {unknown}")


def _predict_request(
    rows: list[bytes], servable: Servable, signature: contract.Signature
) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    spec = request.model_spec
    servable.fill(spec)
    spec.signature_name = signature.name
    fill_with_strings(request.inputs[contract.QUESTIONS.name], rows)
    return request


def _outputs(
    response: predict_pb2.PredictResponse, signature: contract.Signature
) -> Mapping[str, tensor_pb2.TensorProto]:
    outputs = response.outputs
    for tensor in signature.outputs:
        if tensor.name not in outputs:  # looking a key up in a protobuf map would create it
            raise UnexpectedResponse(f"the reply lacks {tensor.name!r}; it has {sorted(outputs)}")
    return outputs
