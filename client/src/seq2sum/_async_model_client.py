"""The asyncio client of any model, with the same methods as `ModelClient`."""

from __future__ import annotations

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Mapping,
)
from functools import partial
from typing import Any, TypeVar, Unpack

from seq2sum import _calls, _examples, _predict_calls
from seq2sum._async_base_client import AsyncBaseClient
from seq2sum._batches import async_batches, stacked
from seq2sum._calls import CallFactory
from seq2sum._deadline import Deadline
from seq2sum._errors import InvalidRequest, UnexpectedResponse
from seq2sum._examples import Classifications, Examples, Regressions
from seq2sum._merged_predictions import mergeable
from seq2sum._nested_lists import InvalidValue
from seq2sum._options import CallOptions, CallTarget
from seq2sum._predict_calls import DEFAULT_SIGNATURE, PredictFactory
from seq2sum._prediction import Prediction
from seq2sum._versions import ModelMetadata

Result = TypeVar("Result")

Build = Callable[[ModelMetadata], PredictFactory]
"""Makes a Predict call by the signatures of a version; raises InvalidValue."""


class AsyncModelClient(AsyncBaseClient):
    """An asyncio client of any model on a TensorFlow Serving or `seq2sum-serve` server.

    The channel belongs to the event loop of the first call; once that loop is closed, the next
    one gets a new channel. Close the client, or use it in an `async with` statement.

    Example:
        async with seq2sum.AsyncModelClient("localhost:8500", model="sentiment") as client:
            prediction = await client.predict({"text": ["great product"]})
    """

    async def predict(
        self,
        inputs: Mapping[str, Any] | Any,
        *,
        signature: str = DEFAULT_SIGNATURE,
        outputs: Collection[str] | None = None,
        **options: Unpack[CallOptions],
    ) -> Prediction:
        """Returns the outputs of the model for these inputs.

        See `ModelClient.predict`.
        """
        target, deadline = self._resolve(**options)
        build = partial(_predict_calls.predict, inputs, signature=signature, outputs=outputs)
        make = await self._make(build, target, deadline)
        try:
            prediction = await self._call(make, target, deadline)
        except InvalidRequest as error:
            return await self._predict_again(build, target, deadline, error)
        self._signatures.answered(target.choice, prediction.version)
        return prediction

    def predict_stream(
        self,
        inputs: Iterable[Any] | AsyncIterable[Any],
        *,
        signature: str = DEFAULT_SIGNATURE,
        outputs: Collection[str] | None = None,
        batch_size: int | None = None,
        max_in_flight: int | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncIterator[Prediction]:
        """Yields the predictions for any number of inputs, in order, in bounded memory.

        See `ModelClient.predict_stream`. `inputs` may be an asynchronous iterable too.
        """
        self._resolve(**options)  # raises before the first prediction is taken
        rows, limit = self._stream_limits(inputs, batch_size, max_in_flight)

        async def start() -> AsyncIterator[Coroutine[Any, Any, Prediction]]:
            async for part in async_batches(inputs, rows):
                target, deadline = self._resolve(**options)
                whole = part if rows is None else self._checked(partial(stacked, part), target)
                build = partial(_predict_calls.predict, whole, signature=signature, outputs=outputs)
                yield self._predict_with_retries(build, target, deadline)

        return self._pipeline(start(), limit)

    async def classify(
        self,
        examples: Examples,
        *,
        signature: str = DEFAULT_SIGNATURE,
        context: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Classifications:
        """Returns the classes of examples, by the server's Classify.

        See `ModelClient.classify`.
        """
        build = partial(_examples.classify, examples, signature=signature, context=context)
        return await self._call_by_examples(build, **options)

    async def regress(
        self,
        examples: Examples,
        *,
        signature: str = DEFAULT_SIGNATURE,
        context: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Regressions:
        """Returns a number for each example, by the server's Regress.

        See `ModelClient.regress`.
        """
        build = partial(_examples.regress, examples, signature=signature, context=context)
        return await self._call_by_examples(build, **options)

    async def describe(self, **options: Unpack[CallOptions]) -> ModelMetadata:
        """Returns the signatures of a model version; printed, they are a table.

        See `ModelClient.describe`.
        """
        target, deadline = self._resolve(**options)
        return await self._open(target).call(
            _calls.model_metadata(target.servable), target, deadline
        )

    async def _call_by_examples(
        self, build: Callable[[], CallFactory[Result]], **options: Unpack[CallOptions]
    ) -> Result:
        """Makes the call that `build` returns; raises InvalidInput if it raises InvalidValue."""
        target, deadline = self._resolve(**options)
        make = self._checked(build, target)
        return await self._open(target).call_with_shadow(make, target, deadline)

    async def _make(self, build: Build, target: CallTarget, deadline: Deadline) -> PredictFactory:
        """Returns a call by the known signatures; fetches them if it does not fit them."""
        known = self._signatures.get(target.choice)
        if known is not None:
            try:
                return build(known)
            except InvalidValue:
                pass  # the model may have changed
        metadata = await self._fetch_signatures(target, deadline)
        return self._checked(partial(build, metadata), target)

    async def _call(
        self, make: PredictFactory, target: CallTarget, deadline: Deadline
    ) -> Prediction:
        """Makes a Predict call, which concurrent callers share if the client coalesces."""
        connection = self._open(target)
        if connection.coalescer is not None and (request := mergeable(make, target)) is not None:
            try:
                shared: Prediction = await connection.coalescer.submit(request, target, deadline)
            except (InvalidRequest, UnexpectedResponse):
                pass  # perhaps because of the inputs of another caller
            else:
                return shared
        return await connection.call_with_shadow(make, target, deadline)

    async def _predict_again(
        self, build: Build, target: CallTarget, deadline: Deadline, error: InvalidRequest
    ) -> Prediction:
        """Repeats a rejected call if the model's signatures have changed."""
        known = self._signatures.get(target.choice)
        metadata = await self._fetch_signatures(target, deadline)
        if metadata == known:
            raise error
        make = self._checked(partial(build, metadata), target)
        return await self._open(target).call_with_retries(make, target, deadline)

    async def _fetch_signatures(self, target: CallTarget, deadline: Deadline) -> ModelMetadata:
        call = _calls.model_metadata(target.servable)
        metadata = await self._open(target).call(call, target, deadline)
        self._signatures.put(target.choice, metadata)
        return metadata

    async def _predict_with_retries(
        self, build: Build, target: CallTarget, deadline: Deadline
    ) -> Prediction:
        make = await self._make(build, target, deadline)
        try:
            prediction = await self._open(target).call_with_retries(make, target, deadline)
        except InvalidRequest as error:
            return await self._predict_again(build, target, deadline, error)
        self._signatures.answered(target.choice, prediction.version)
        return prediction
