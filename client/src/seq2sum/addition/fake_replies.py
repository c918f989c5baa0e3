"""The replies of a server with a seq2sum model, for the fake server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seq2sum import _fake_signatures
from seq2sum._tensors import fill_with_strings
from seq2sum._versions import TensorSpec
from seq2sum.addition import contract
from seq2sum.protocol import model_metadata_pb2, predict_pb2, tensor_pb2


def answers(
    model: str,
    version: int,
    texts: Sequence[str | bytes],
    statuses: Sequence[int],
    confidence: float,
) -> predict_pb2.PredictResponse:
    """Returns a reply of the default signature."""
    response = _response(model, version, contract.DEFAULT)
    outputs, rows = response.outputs, len(texts)
    fill_with_strings(outputs[contract.ANSWERS.name], list(map(_raw, texts)))
    confidences = _numbers(outputs[contract.CONFIDENCE.name], tensor_pb2.DT_FLOAT, rows)
    confidences.float_val.extend(0.0 if status else confidence for status in statuses)
    _status(response, statuses)
    return response


def probabilities(
    model: str,
    version: int,
    texts: Sequence[str | bytes],
    statuses: Sequence[int],
    confidence: float,
    digits: int,
) -> predict_pb2.PredictResponse:
    """Returns a reply of the detailed signature: the other characters are equally probable."""
    response = _response(model, version, contract.DETAILED)
    length, characters = contract.answer_length(digits), len(contract.ALPHABET)
    chosen = [token for text in texts for token in _tokens(_raw(text), length)]
    likely = confidence ** (1 / length)
    rest = (1 - likely) / (characters - 1)
    rows = len(texts)
    detail = _numbers(
        response.outputs[contract.PROBABILITIES.name],
        tensor_pb2.DT_FLOAT, rows, length, characters,
    )  # fmt: skip
    detail.float_val.extend(
        likely if character == token else rest
        for token in chosen
        for character in range(characters)
    )
    ids = _numbers(response.outputs[contract.TOKEN_IDS.name], tensor_pb2.DT_INT32, rows, length)
    ids.int_val.extend(chosen)
    _status(response, statuses)
    return response


def _raw(text: str | bytes) -> bytes:
    """Returns an answer's bytes: the inverse of the client's decoding."""
    return text if isinstance(text, bytes) else text.encode(errors="surrogateescape")


def _tokens(text: bytes, length: int) -> list[int]:
    """Returns the token ids of an answer's characters, with blanks at its end."""
    if len(text) > length or not set(text) <= set(contract.ALPHABET.encode()):
        raise ValueError(
            f"the answer {text!r} has no probabilities: "
            f"expected at most {length} characters of {contract.ALPHABET!r}"
        )
    return [contract.ALPHABET.index(character) for character in text.decode().ljust(length)]


def metadata(model: str, version: int, digits: int) -> model_metadata_pb2.GetModelMetadataResponse:
    """Returns a reply with the signatures of the contract."""
    described = contract.describe(
        digits=digits, steps=2 * digits + 1, vocabulary=len(contract.ALPHABET)
    )
    signatures = {
        name: (_specs(signature["inputs"]), _specs(signature["outputs"]))
        for name, signature in described["signatures"].items()
    }
    return _fake_signatures.metadata(model, version, signatures)


def _specs(tensors: Mapping[str, Any]) -> dict[str, TensorSpec]:
    return {
        alias: TensorSpec(tensor["dtype"], tuple(tensor["shape"]))
        for alias, tensor in tensors.items()
    }


def _response(
    model: str, version: int, signature: contract.Signature
) -> predict_pb2.PredictResponse:
    response = predict_pb2.PredictResponse()
    response.model_spec.name = model
    response.model_spec.version.value = version
    response.model_spec.signature_name = signature.name
    return response


def _status(response: predict_pb2.PredictResponse, statuses: Sequence[int]) -> None:
    tensor = _numbers(response.outputs[contract.STATUS.name], tensor_pb2.DT_INT32, len(statuses))
    tensor.int_val.extend(statuses)


def _numbers(
    tensor: tensor_pb2.TensorProto, dtype: tensor_pb2.DataType, *shape: int
) -> tensor_pb2.TensorProto:
    tensor.dtype = dtype
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor
