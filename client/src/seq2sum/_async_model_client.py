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
from seq2sum._errors import InvalidRequest, UnexpectedResponse, deadline_exceeded
from seq2sum._examples import Classifications, Examples, Regressions
from seq2sum._merged_predictions import mergeable
from seq2sum._nested_lists import InvalidValue
from seq2sum._options import CallOptions, CallTarget
from seq2sum._predict_calls import DEFAULT_SIGNATURE, PreparedPredict
from seq2sum._prediction import Prediction
from seq2sum._versions import ModelMetadata

Result = TypeVar("Result")

Prepare = Callable[[ModelMetadata], PreparedPredict]
"""Makes a Predict by the signatures of a version; raises InvalidValue."""


class AsyncModelClient(AsyncBaseClient):
    """An asyncio client of any model on a TensorFlow Serving or `seq2sum-serve` server.

    The channel belongs to the event loop of the first call; once that loop is closed, the next
    one gets a new channel. Close the client, or use it in an `async with` statement.

    For example:

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
        prepare = partial(_predict_calls.predict, inputs, signature=signature, outputs=outputs)
        prepared = self._prepared_by_known(prepare, target)
        if prepared is None:
            prepared = await self._fetch_and_prepare(prepare, target, deadline)
        try:
            prediction = await self._call(prepared, target, deadline)
        except (InvalidRequest, UnexpectedResponse) as error:
            prepared = await self._changed(prepare, prepared, target, deadline, error)
            prediction = await self._call(prepared, target, deadline)
        if prediction.version != prepared.metadata.version:
            self._signatures.answered(target.cache_key, prediction.version)
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
                prepare = partial(
                    _predict_calls.predict, whole, signature=signature, outputs=outputs
                )
                yield self._predict_with_retries(prepare, target, deadline)

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
        prepare = partial(_examples.classify, examples, signature=signature, context=context)
        return await self._call_by_examples(prepare, **options)

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
        prepare = partial(_examples.regress, examples, signature=signature, context=context)
        return await self._call_by_examples(prepare, **options)

    async def describe(self, **options: Unpack[CallOptions]) -> ModelMetadata:
        """Returns the signatures of a model version; printed, they are a table.

        See `ModelClient.describe`.
        """
        target, deadline = self._resolve(**options)
        return await self._open(target).call(
            _calls.model_metadata(target.servable), target, deadline
        )

    async def _call_by_examples(
        self, prepare: Callable[[], CallFactory[Result]], **options: Unpack[CallOptions]
    ) -> Result:
        """Makes the call that `prepare` returns; raises InvalidInput if it raises InvalidValue."""
        target, deadline = self._resolve(**options)
        prepared = self._checked(prepare, target)
        return await self._open(target).call_with_shadow(prepared, target, deadline)

    def _prepared_by_known(self, prepare: Prepare, target: CallTarget) -> PreparedPredict | None:
        """Returns a Predict by the known signatures; None if it does not fit them."""
        known = self._signatures.get(target.cache_key)
        try:
            return None if known is None else prepare(known)
        except InvalidValue:
            return None  # the model may have changed

    async def _fetch_and_prepare(
        self, prepare: Prepare, target: CallTarget, deadline: Deadline
    ) -> PreparedPredict:
        """Returns a Predict by signatures other than those known so far."""
        known = self._signatures.get(target.cache_key)
        metadata = await self._signatures_other_than(known, target, deadline)
        return self._checked(partial(prepare, metadata), target)

    async def _changed(
        self,
        prepare: Prepare,
        failed: PreparedPredict,
        target: CallTarget,
        deadline: Deadline,
        error: InvalidRequest | UnexpectedResponse,
    ) -> PreparedPredict:
        """Returns a failed Predict by the changed signatures; raises its error if none changed."""
        fetch = partial(
            self._signatures_other_than, failed.metadata, target, deadline,
            may_be_input=isinstance(error, InvalidRequest),
        )  # fmt: skip
        metadata = await self._open(target).retried(fetch, deadline)
        if metadata == failed.metadata:
            raise error
        return self._checked(partial(prepare, metadata), target)

    async def _call(
        self, prepared: PreparedPredict, target: CallTarget, deadline: Deadline
    ) -> Prediction:
        """Makes a Predict call, which concurrent callers share if the client coalesces."""
        connection = self._open(target)
        request = mergeable(prepared, target) if connection.coalescer is not None else None
        if connection.coalescer is not None and request is not None:
            try:
                shared: Prediction = await connection.coalescer.submit(request, target, deadline)
            except (InvalidRequest, UnexpectedResponse):
                pass  # perhaps because of the inputs of another caller
            else:
                return shared
        return await connection.call_with_shadow(prepared, target, deadline)

    async def _signatures_other_than(
        self,
        stale: ModelMetadata | None,
        target: CallTarget,
        deadline: Deadline,
        *,
        may_be_input: bool = True,
    ) -> ModelMetadata:
        """Returns the signatures that apply, now that a call by `stale` has failed.

        Concurrent callers share a fetch.
        """
        key = target.cache_key
        find = partial(self._signatures.other_than, key, stale, may_be_input=may_be_input)

        async def fetch() -> ModelMetadata:
            if (known := find()) is not None:
                return known  # another caller has just fetched them
            call = _calls.model_metadata(target.servable)
            metadata = await self._open(target).call(call, target, deadline)
            self._signatures.put(key, metadata)
            return metadata

        found = find()
        if found is None:
            found = await self._flights.join(key, fetch, deadline)
        if found is None:
            raise deadline_exceeded(target.address or self.target, target.servable)
        return found

    async def _predict_with_retries(
        self, prepare: Prepare, target: CallTarget, deadline: Deadline
    ) -> Prediction:
        connection = self._open(target)
        prepared = self._prepared_by_known(prepare, target)
        if prepared is None:
            fetch = partial(self._fetch_and_prepare, prepare, target, deadline)
            prepared = await connection.retried(fetch, deadline)
        try:
            prediction = await connection.call_with_retries(prepared, target, deadline)
        except (InvalidRequest, UnexpectedResponse) as error:
            changed = await self._changed(prepare, prepared, target, deadline, error)
            prediction = await connection.call_with_retries(changed, target, deadline)
        self._signatures.answered(target.cache_key, prediction.version)
        return prediction
