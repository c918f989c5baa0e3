"""Classify: labels and scores for tf.Examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import text_format
from tensorflow.core.framework import types_pb2

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference import byte_labels, datatypes, signatures
from seq2sum_serving.embedded.inference.examples_method import INPUTS, ExamplesMethod
from seq2sum_serving.embedded.inference.options import InferenceOptions

CLASSES = "classes"
SCORES = "scores"


def check(signature: Any, options: InferenceOptions) -> list[str]:
    """The tensors to fetch for a classification, classes first.

    Raises:
        ServingError: It is no classification signature.
    """
    if options.check_method_names and signature.method_name != signatures.CLASSIFY:
        raise _refused(
            f"Expected classification signature method_name to be {signatures.CLASSIFY}. "
            f"Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise _refused("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise _refused(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if INPUTS not in signature.inputs:
        raise _refused(
            "No classification inputs found in SignatureDef: "
            f"{text_format.MessageToString(signature)}"
        )
    aliases = [alias for alias in (CLASSES, SCORES) if alias in signature.outputs]
    if not aliases:
        raise _refused(
            "Expected classification signature outputs to contain at least one of "
            f'"{CLASSES}" or "{SCORES}". Signature was: {text_format.MessageToString(signature)}'
        )
    return [signature.outputs[alias].name for alias in aliases]


def write(
    fetched: Mapping[str, Any],
    signature: Any,
    count: int,
    result: Any,
) -> None:
    """Writes the outputs of `count` examples, arrays by tensor name, into a ClassificationResult.

    Raises:
        ServingError: They have not the form of a classification.
    """
    labels = _output(fetched, signature, CLASSES, types_pb2.DT_STRING, count)
    scores = _output(fetched, signature, SCORES, types_pb2.DT_FLOAT, count)
    if labels is not None and scores is not None and labels.shape[1] != scores.shape[1]:
        raise _refused(
            "Tensors class and score should match in dim_size(1). "
            f"Got {labels.shape[1]} vs. {scores.shape[1]}"
        )
    for row in range(count):
        classes = result.classifications.add().classes
        texts = [] if labels is None else labels[row].tolist()
        values = [0.0] * len(texts) if scores is None else scores[row].tolist()
        for place, value in enumerate(values):
            found = classes.add(score=value)
            if texts:
                found.label = texts[place]


def _output(fetched: Mapping[str, Any], signature: Any, alias: str, dtype: int, count: int) -> Any:
    """One output of shape [examples, classes], or None where the signature has none."""
    if alias not in signature.outputs:
        return None
    array = fetched[signature.outputs[alias].name]
    if array.ndim != 2:
        raise _refused(
            "Expected Tensor shape: [batch_size num_classes] but got "
            f"{datatypes.shape_text(array.shape)}"
        )
    found = datatypes.datatype(array)
    if found != dtype:
        wanted, given = (types_pb2.DataType.Name(kind) for kind in (dtype, found))
        raise _refused(f"Expected {alias} Tensor of {wanted}. Got: {given}")
    if array.shape[0] != count:
        raise _refused(f"Expected {alias} output batch size of {count}. Got: {array.shape[0]}")
    return array


def _refused(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)


classify = ExamplesMethod(
    api="Classify",
    response=byte_labels.ClassificationResponse,
    task_result="classification_result",
    check=check,
    write=write,
)
