"""A method over tf.Examples: what Classify and Regress share, and what each brings of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from seq2sum_serving.embedded.inference import examples, runtime, signatures
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.servable import Servable

INPUTS = "inputs"
"""Alias of the one input of every signature that takes examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplesMethod:
    """One method: to call it is to run a signature of its kind."""

    api: str
    """What metrics call it."""
    response: type[Message]
    """Its reply."""
    task_result: str
    """Where its result is in the reply to a task of MultiInference."""
    check: Callable[[Any, InferenceOptions], list[str]]
    """From a signature to the tensors to fetch; ServingError where it is of another kind."""
    write: Callable[[Mapping[str, Any], Any, int, Any], None]
    """Writes arrays by tensor name, outputs of a signature for so many examples, into a result.

    It raises ServingError where they have another form.
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
        """Answers a request.

        Raises:
            ServingError: The signature does not fit, there is no example, or the graph raised.
        """
        spec = request.model_spec
        signature = signatures.find(servable, signatures.name_of(spec))
        fetches = self.check(signature, options)
        inputs = examples.serialized(request.input)
        fetched = runtime.run(
            servable,
            {signature.inputs[INPUTS].name: inputs},
            fetches,
            model=spec.name,
            api=self.api,
            timeout=timeout,
        )
        response: Any = self.response()
        arrays = dict(zip(fetches, fetched, strict=True))
        self.write(arrays, signature, len(inputs), response.result)
        signatures.fill_model_spec(response.model_spec, requested=spec, version=version)
        return response
