"""tf.Examples on their way into a graph, which parses them itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow_serving.apis import input_pb2

from seq2sum_serving.embedded.errors import Code, ServingError


def serialized(given: input_pb2.Input) -> NDArray[Any]:
    """The examples of a request, each as its bytes: an object array of shape [examples].

    A context is put before each example: of two messages one after the other the fields of
    both count.

    Raises:
        ServingError: There are none.
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
        raise ServingError(Code.INVALID_ARGUMENT, "Input is empty.")
    array = np.empty(len(examples), object)
    array[:] = [context + example.SerializeToString() for example in examples]
    return array
