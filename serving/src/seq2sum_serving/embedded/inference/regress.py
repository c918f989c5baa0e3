"""Regress: a number for each tf.Example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import text_format
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import regression_pb2

from seq2sum_serving.embedded.errors import invalid_argument
from seq2sum_serving.embedded.inference import datatypes, signatures
from seq2sum_serving.embedded.inference.examples_method import INPUTS, ExamplesMethod
from seq2sum_serving.embedded.inference.options import InferenceOptions

OUTPUTS = "outputs"


def check(signature: Any, options: InferenceOptions) -> list[str]:
    """Returns the tensor to fetch for a regression, in a list.

    Raises:
        ServingError: INVALID_ARGUMENT: not a valid regression signature.
    """
    if options.check_method_names and signature.method_name != signatures.REGRESS:
        raise invalid_argument(
            f"Expected regression signature method_name to be {signatures.REGRESS}. "
            f"Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    text = text_format.MessageToString
    if INPUTS not in signature.inputs:
        raise invalid_argument(f"No regression inputs found in SignatureDef: {text(signature)}")
    if OUTPUTS not in signature.outputs:
        raise invalid_argument(f"No regression outputs found in SignatureDef: {text(signature)}")
    return [signature.outputs[OUTPUTS].name]


def write(
    arrays: Mapping[str, Any],
    signature: Any,
    examples: int,
    result: regression_pb2.RegressionResult,
) -> None:
    """Writes the output of a regression into a RegressionResult; `arrays` are by tensor name.

    Raises:
        ServingError: INVALID_ARGUMENT: the array does not have the form of a regression.
    """
    array = arrays[signature.outputs[OUTPUTS].name]
    if not (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{datatypes.shape_text(array.shape)}"
        )
    if array.shape[0] != examples:
        raise invalid_argument(
            f"Input batch size did not match output batch size: {examples} vs. {array.shape[0]}"
        )
    dtype = datatypes.datatype(array)
    if dtype != types_pb2.DT_FLOAT:
        raise invalid_argument(
            f"Expected output Tensor of DT_FLOAT.  Got: {types_pb2.DataType.Name(dtype)}"
        )
    for value in array.reshape(-1).tolist():
        result.regressions.add(value=value)


regress = ExamplesMethod(
    api="Regress",
    response=regression_pb2.RegressionResponse,
    task_result="regression_result",
    check=check,
    write=write,
)
