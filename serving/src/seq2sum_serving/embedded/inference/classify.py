"""Classify: labels and scores for tf.Examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import text_format
from tensorflow.core.framework import types_pb2

from seq2sum_serving.embedded.errors import invalid_argument
from seq2sum_serving.embedded.inference import byte_labels, datatypes, signatures
from seq2sum_serving.embedded.inference.examples_method import INPUTS, ExamplesMethod
from seq2sum_serving.embedded.inference.options import InferenceOptions

CLASSES = "classes"
SCORES = "scores"


def check(signature: Any, options: InferenceOptions) -> list[str]:
    """Returns the tensors to fetch for a classification, classes first.

    Raises:
        ServingError: INVALID_ARGUMENT: not a valid classification signature.
    """
    if options.check_method_names and signature.method_name != signatures.CLASSIFY:
        raise invalid_argument(
            f"Expected classification signature method_name to be {signatures.CLASSIFY}. "
            f"Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise invalid_argument(
            f"Expected one or two output Tensors, found {len(signature.outputs)}"
        )
    if INPUTS not in signature.inputs:
        raise invalid_argument(
            "No classification inputs found in SignatureDef: "
            f"{text_format.MessageToString(signature)}"
        )
    aliases = [alias for alias in (CLASSES, SCORES) if alias in signature.outputs]
    if not aliases:
        raise invalid_argument(
            "Expected classification signature outputs to contain at least one of "
            f'"{CLASSES}" or "{SCORES}". Signature was: {text_format.MessageToString(signature)}'
        )
    return [signature.outputs[alias].name for alias in aliases]


def write(arrays: Mapping[str, Any], signature: Any, examples: int, result: Any) -> None:
    """Writes labels and scores, arrays by tensor name, into a ClassificationResult.

    Raises:
        ServingError: INVALID_ARGUMENT: the arrays do not have the form of a classification.
    """
    labels = _output(arrays, signature, CLASSES, types_pb2.DT_STRING, examples)
    scores = _output(arrays, signature, SCORES, types_pb2.DT_FLOAT, examples)
    if labels is not None and scores is not None and labels.shape[1] != scores.shape[1]:
        raise invalid_argument(
            "Tensors class and score should match in dim_size(1). "
            f"Got {labels.shape[1]} vs. {scores.shape[1]}"
        )
    for row in range(examples):
        classes = result.classifications.add().classes
        row_labels = [] if labels is None else labels[row].tolist()
        row_scores = [0.0] * len(row_labels) if scores is None else scores[row].tolist()
        for number, score in enumerate(row_scores):
            written = classes.add(score=score)
            if row_labels:
                written.label = row_labels[number]


def _output(
    arrays: Mapping[str, Any], signature: Any, alias: str, dtype: int, examples: int
) -> Any:
    """Returns an output of shape [examples, classes], or None if the signature lacks it."""
    if alias not in signature.outputs:
        return None
    array = arrays[signature.outputs[alias].name]
    if array.ndim != 2:
        raise invalid_argument(
            "Expected Tensor shape: [batch_size num_classes] but got "
            f"{datatypes.shape_text(array.shape)}"
        )
    actual = datatypes.datatype(array)
    if actual != dtype:
        names = [types_pb2.DataType.Name(each) for each in (dtype, actual)]
        raise invalid_argument(f"Expected {alias} Tensor of {names[0]}. Got: {names[1]}")
    if array.shape[0] != examples:
        raise invalid_argument(
            f"Expected {alias} output batch size of {examples}. Got: {array.shape[0]}"
        )
    return array


classify = ExamplesMethod(
    api="Classify",
    response=byte_labels.ClassificationResponse,
    task_result="classification_result",
    check=check,
    write=write,
)
