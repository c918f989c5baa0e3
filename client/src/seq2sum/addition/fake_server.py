"""The fake server, whose default model adds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import grpc
from google.protobuf.message import Message

from seq2sum import _fake_server
from seq2sum._fake_server import ModelServer, UnknownSignature
from seq2sum._fake_signatures import FakeSignature
from seq2sum._numbers import integer, real
from seq2sum.addition import contract, fake_replies
from seq2sum.protocol import predict_pb2


@dataclass(frozen=True, slots=True)
class ReceivedCall(_fake_server.ReceivedCall):
    """A call that the server received."""

    @property
    def questions(self) -> tuple[bytes, ...]:
        """Its questions; empty for other methods and models."""
        found = self.inputs.get(contract.QUESTIONS.name)
        return found.content if found and isinstance(found.content, tuple) else ()


class FakeServer(ModelServer[ReceivedCall]):
    """A server in this process, for a `with` statement, or with `start` and `stop`.

    Args:
        versions: Versions that are AVAILABLE; the largest is the latest.
        labels: Version by label.
        model: The name of the served model.
        digits: Most digits of an operand.
        answer: Returns the answer for a version and two operands, as text or bytes; by default
            their sum.
        confidence: The confidence of every answer.
        signatures: Signatures by name, to serve another model than addition; `digits`, `answer`
            and `confidence` do not apply then.
        delay: Seconds before each reply.
        host: Address to listen on.
        port: Port to listen on; 0 for a free one.
        credentials: TLS credentials; None for an insecure port.

    Raises:
        TypeError: A signature is not a `FakeSignature`, or one of its tensors not a `TensorSpec`.
        ValueError: A value is out of range, or a dtype is not one of TensorFlow's names.
    """

    def __init__(
        self,
        *,
        versions: Iterable[int] = (1,),
        labels: Mapping[str, int] | None = None,
        model: str = contract.MODEL_NAME,
        digits: int = 3,
        answer: Callable[[int, int, int], str | bytes] | None = None,
        confidence: float = 0.99,
        signatures: Mapping[str, FakeSignature] | None = None,
        delay: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        super().__init__(
            ReceivedCall,
            model=model,
            signatures=signatures,
            versions=versions,
            labels=labels,
            delay=delay,
            host=host,
            port=port,
            credentials=credentials,
        )
        self.digits = integer("digits", digits, least=1)
        self._answer: Callable[[int, int, int], str | bytes]
        self._answer = answer or (lambda _, a, b: str(a + b))
        self._confidence = real("confidence", confidence, most=1, expected="a number from 0 to 1")

    def _metadata(self, model: str, version: int) -> Message:
        if self.signatures is not None:
            return super()._metadata(model, version)
        return fake_replies.metadata(model, version, self.digits)

    def _predict(self, request: predict_pb2.PredictRequest, version: int) -> Message:
        if self.signatures is not None:
            return super()._predict(request, version)
        model, name = request.model_spec.name, request.model_spec.signature_name
        questions = request.inputs[contract.QUESTIONS.name].string_val
        texts, statuses = self._answers(version, questions)
        if name in ("", contract.DEFAULT.name):
            return fake_replies.answers(model, version, texts, statuses, self._confidence)
        if name == contract.DETAILED.name:
            return fake_replies.probabilities(
                model, version, texts, statuses, self._confidence, self.digits
            )
        raise UnknownSignature(name)

    def _answers(
        self, version: int, questions: Iterable[bytes]
    ) -> tuple[list[str | bytes], list[int]]:
        """Returns a text and a status for each question."""
        texts: list[str | bytes] = []
        statuses = []
        for question in questions:
            pair = contract.operands(question)
            status = contract.status_of_operands(pair, digits=self.digits)
            statuses.append(int(status))
            texts.append(self._answer(version, *map(int, pair)) if pair and not status else "")
        return texts, statuses
