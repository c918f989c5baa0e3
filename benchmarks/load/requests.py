"""Predict requests of the load: questions, their answers, and the encoded messages."""

from __future__ import annotations

import json
from collections.abc import Sequence

from seq2sum._tensors import fill_with_strings
from seq2sum.protocol import predict_pb2

METHOD = "/tensorflow.serving.PredictionService/Predict"
REQUESTS = 16
"""Different requests that a load cycles through."""
UNLIMITED = [("grpc.max_receive_message_length", -1)]
"""Channel options that accept a reply of any size."""


def question(number: int) -> str:
    """Returns one of the million questions."""
    return f"{number % 1000}+{number // 7 % 1000}"


def answer(number: int) -> int:
    """Returns the answer to `question(number)`."""
    return number % 1000 + number // 7 % 1000


def questions(rows: int, index: int) -> list[bytes]:
    """Returns the questions of the request with this index."""
    return [question(number).encode() for number in range(index * rows, (index + 1) * rows)]


def check_answers(texts: Sequence[bytes], rows: int, index: int) -> None:
    """Asserts that `texts` answers the request with this index."""
    expected = [b"%d" % answer(number) for number in range(index * rows, (index + 1) * rows)]
    assert list(texts) == expected, "wrong answers"


def encode(model: str, texts: Sequence[bytes], *, signature: str = "") -> bytes:
    """Returns an encoded PredictRequest."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name = model
    message.model_spec.signature_name = signature
    fill_with_strings(message.inputs["questions"], texts)
    return message.SerializeToString()


def json_body(texts: Sequence[bytes]) -> bytes:
    """Returns the body of a predict call of the REST API."""
    return json.dumps({"instances": [text.decode() for text in texts]}).encode()
