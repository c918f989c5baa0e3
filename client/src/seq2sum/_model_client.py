"""The synchronous client of any model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar, Unpack

from seq2sum import _calls, _examples, _predict_calls
from seq2sum._batches import batches, stacked
from seq2sum._calls import CallFactory, PendingCall
from seq2sum._deadline import Deadline
from seq2sum._errors import InvalidRequest, UnexpectedResponse, deadline_exceeded
from seq2sum._examples import Classifications, Examples, Regressions
from seq2sum._merged_predictions import mergeable
from seq2sum._nested_lists import InvalidValue
from seq2sum._options import CallOptions, CallTarget
from seq2sum._predict_calls import DEFAULT_SIGNATURE, PreparedPredict
from seq2sum._prediction import Prediction
from seq2sum._sync_base_client import SyncBaseClient
from seq2sum._versions import ModelMetadata

Result = TypeVar("Result")

Prepare = Callable[[ModelMetadata], PreparedPredict]
"""Makes a Predict by the signatures of a version; raises InvalidValue."""


class ModelClient(SyncBaseClient):
    """A client of any model on a TensorFlow Serving or `seq2sum-serve` server.

    Safe to use from several threads, and in a child process after a fork, where it opens a new
    channel. Close it, or use it in a `with` statement.

    For example:

        with seq2sum.ModelClient("localhost:8500", model="sentiment") as client:
            print(client.predict({"text": ["great product"]})["score"].tolist())
    """

    def predict(
        self,
        inputs: Mapping[str, Any] | Any,
        *,
        signature: str = DEFAULT_SIGNATURE,
        outputs: Collection[str] | None = None,
        **options: Unpack[CallOptions],
    ) -> Prediction:
        """Returns the outputs of the model for these inputs.

        The values are converted to the dtypes of the signature, which is fetched once for each
        version or label that is called, and again when the model has changed.

        Args:
            inputs: Values by input name; or one value, for a signature with one input. A value is
                a scalar, a list of any depth, an array, or a `Tensor`.
            signature: The name of a signature.
            outputs: Names of the outputs to return; None for all.
            options: See `seq2sum.CallOptions`.

        Raises:
            InvalidInput: The signature does not exist, or the inputs or outputs do not fit it.
            CallError: The call failed; the subclass says why.
            UnexpectedResponse: The reply is not readable, or does not fit the signature.
        """
        target, deadline = self._resolve(**options)
        prepare = partial(_predict_calls.predict, inputs, signature=signature, outputs=outputs)
        prepared = self._prepared(prepare, target, deadline)
        try:
            prediction = self._call(prepared, target, deadline)
        except (InvalidRequest, UnexpectedResponse) as error:
            prepared = self._changed(prepare, prepared, target, deadline, error)
            prediction = self._call(prepared, target, deadline)
        if prediction.version != prepared.metadata.version:
            self._signatures.answered(target.cache_key, prediction.version)
        return prediction

    def predict_stream(
        self,
        inputs: Iterable[Any],
        *,
        signature: str = DEFAULT_SIGNATURE,
        outputs: Collection[str] | None = None,
        batch_size: int | None = None,
        max_in_flight: int | None = None,
        **options: Unpack[CallOptions],
    ) -> Iterator[Prediction]:
        """Yields the predictions for any number of inputs, in order, in bounded memory.

        RPCs that the server refuses for overload are retried with backoff, within the timeout.

        Args:
            inputs: The inputs of one RPC after the other, each as in `predict`; with `batch_size`,
                rows: mappings of one value for each input, or values, without dimension 0.
            signature: The name of a signature.
            outputs: Names of the outputs to return; None for all.
            batch_size: Rows in one RPC; None if `inputs` are not rows.
            max_in_flight: Most RPCs in flight; None for the client's limit, or if it has none
                for 8, and up to 64 RPCs of few rows.
            options: See `seq2sum.CallOptions`; the timeout is for each RPC.

        Yields:
            One prediction for each RPC.

        Raises:
            InvalidInput: The signature does not exist, or the inputs or outputs do not fit it.
            CallError: An RPC failed; the subclass says why. Earlier predictions have been yielded.
            UnexpectedResponse: A reply is not readable, or does not fit the signature.
        """
        self._resolve(**options)  # raises before the first prediction is taken
        rows, limit = self._stream_limits(inputs, batch_size, max_in_flight)

        def start() -> Iterator[PendingCall[Prediction]]:
            for part in batches(inputs, rows):
                target, deadline = self._resolve(**options)
                whole = part if rows is None else self._checked(partial(stacked, part), target)
                prepare = partial(
                    _predict_calls.predict, whole, signature=signature, outputs=outputs
                )
                yield self._start_predict(prepare, target, deadline)

        return self._pipeline(start(), limit)

    def classify(
        self,
        examples: Examples,
        *,
        signature: str = DEFAULT_SIGNATURE,
        context: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Classifications:
        """Returns the classes of examples, by the server's Classify.

        Args:
            examples: Mappings of features by name, which are sent as tf.Examples: integers as
                int64 lists, floats as float lists, str and bytes as bytes lists.
            signature: The name of a signature for classification.
            context: Features that belong to every example.
            options: See `seq2sum.CallOptions`.

        Raises:
            InvalidInput: A feature cannot be in a tf.Example.
            CallError: The call failed; the subclass says why.
        """
        prepare = partial(_examples.classify, examples, signature=signature, context=context)
        return self._call_by_examples(prepare, **options)

    def regress(
        self,
        examples: Examples,
        *,
        signature: str = DEFAULT_SIGNATURE,
        context: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Regressions:
        """Returns a number for each example, by the server's Regress.

        Args:
            examples: Mappings of features by name, as in `classify`.
            signature: The name of a signature for regression.
            context: Features that belong to every example.
            options: See `seq2sum.CallOptions`.

        Raises:
            InvalidInput: A feature cannot be in a tf.Example.
            CallError: The call failed; the subclass says why.
        """
        prepare = partial(_examples.regress, examples, signature=signature, context=context)
        return self._call_by_examples(prepare, **options)

    def describe(self, **options: Unpack[CallOptions]) -> ModelMetadata:
        """Returns the signatures of a model version; printed, they are a table.

        Raises:
            CallError: The call failed; the subclass says why.
            UnexpectedResponse: The reply has no signatures.
        """
        target, deadline = self._resolve(**options)
        return self._open(target).call(_calls.model_metadata(target.servable), target, deadline)

    def _call_by_examples(
        self, prepare: Callable[[], CallFactory[Result]], **options: Unpack[CallOptions]
    ) -> Result:
        """Makes the call that `prepare` returns; raises InvalidInput if it raises InvalidValue."""
        target, deadline = self._resolve(**options)
        prepared = self._checked(prepare, target)
        return self._open(target).call_with_shadow(prepared, target, deadline)

    def _prepared(
        self, prepare: Prepare, target: CallTarget, deadline: Deadline
    ) -> PreparedPredict:
        """Returns a Predict by the known signatures; fetches them if it does not fit them."""
        known = self._signatures.get(target.cache_key)
        if known is not None:
            try:
                return prepare(known)
            except InvalidValue:
                pass  # the model may have changed
        metadata = self._signatures_other_than(known, target, deadline)
        return self._checked(partial(prepare, metadata), target)

    def _changed(
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
        metadata = self._open(target).retried(fetch, deadline)
        if metadata == failed.metadata:
            raise error
        return self._checked(partial(prepare, metadata), target)

    def _call(
        self, prepared: PreparedPredict, target: CallTarget, deadline: Deadline
    ) -> Prediction:
        """Makes a Predict call, which concurrent callers share if the client coalesces."""
        connection = self._open(target)
        request = mergeable(prepared, target) if connection.coalescer is not None else None
        if connection.coalescer is not None and request is not None:
            try:
                shared: Prediction = connection.coalescer.submit(request, target, deadline)
            except (InvalidRequest, UnexpectedResponse):
                pass  # perhaps because of the inputs of another caller
            else:
                return shared
        return connection.call_with_shadow(prepared, target, deadline)

    def _signatures_other_than(
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

        def fetch() -> ModelMetadata:
            if (known := find()) is not None:
                return known  # another caller has just fetched them
            call = _calls.model_metadata(target.servable)
            metadata = self._open(target).call(call, target, deadline)
            self._signatures.put(key, metadata)
            return metadata

        found = find()
        if found is None:
            found = self._flights.join(key, fetch, deadline)
        if found is None:
            raise deadline_exceeded(target.address or self.target, target.servable)
        return found

    def _start_predict(
        self, prepare: Prepare, target: CallTarget, deadline: Deadline
    ) -> PendingCall[Prediction]:
        connection = self._open(target)
        fetch = partial(self._prepared, prepare, target, deadline)
        prepared = connection.retried(fetch, deadline)
        pending = connection.start(prepared, target, deadline)

        def result() -> Prediction:
            try:
                prediction = pending.result()
            except (InvalidRequest, UnexpectedResponse) as error:
                changed = self._changed(prepare, prepared, target, deadline, error)
                prediction = self._open(target).call_with_retries(changed, target, deadline)
            self._signatures.answered(target.cache_key, prediction.version)
            return prediction

        return pending.with_result(result)
