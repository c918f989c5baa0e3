"""The part that Classify and Regress share: tf.Examples in, a checked signature, a result out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray
from tensorflow_serving.apis import input_pb2

from seq2sum_serving.embedded.errors import invalid_argument
from seq2sum_serving.embedded.inference import runtime, signatures
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.servable import Servable

INPUTS = "inputs"
"""Alias of the only input of a signature that takes examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplesMethod:
    """An RPC method over tf.Examples; calling it handles a request."""

    api: str
    """Label of the method in metrics."""
    response: type[Message]
    task_result: str
    """Field for the result in a reply of MultiInference."""
    check: Callable[[Any, InferenceOptions], list[str]]
    """Returns the tensors to fetch for a signature; raises ServingError if it does not fit."""
    write: Callable[[Mapping[str, Any], Any, int, Any], None]
    """Writes the fetched arrays (by tensor name) of a signature into a result message.

    The third argument is the number of examples. Raises ServingError if the arrays do not fit.
    """

    def __call__(
        self,
        servable: Servable,
        version: int,
        request: Any,
        *,
        options: InferenceOptions,
        timeout: float | None,
    ) -> Any:
        """Returns the reply to a request.

        Raises:
            ServingError: The signature does not fit, the request has no examples, or the run
                failed.
        """
        spec = request.model_spec
        signature = signatures.find(servable, signatures.name_of(spec))
        fetches = self.check(signature, options)
        examples = serialize_examples(request.input)
        outputs = runtime.run(
            servable,
            {signature.inputs[INPUTS].name: examples},
            fetches,
            model=spec.name,
            api=self.api,
            timeout=timeout,
        )
        response: Any = self.response()
        arrays = dict(zip(fetches, outputs, strict=True))
        self.write(arrays, signature, len(examples), response.result)
        signatures.fill_model_spec(response.model_spec, requested=spec, version=version)
        return response


def serialize_examples(given: input_pb2.Input) -> NDArray[Any]:
    """Returns the examples of a request as bytes, in an object array of shape [examples].

    The serialized context is put in front of each example: protobuf merges the fields of
    concatenated messages.

    Raises:
        ServingError: The request has no examples.
    """
    context = b""
    examples: Any = ()
    match given.WhichOneof("kind"):
        case "example_list":
            examples = given.example_list.examples
        case "example_list_with_context":
            examples = given.example_list_with_context.examples
            context = given.example_list_with_context.context.SerializeToString()
    if not examples:
        raise invalid_argument("Input is empty.")
    array = np.empty(len(examples), object)
    array[:] = [context + example.SerializeToString() for example in examples]
    return array
