"""The RPCs of PredictionService, shared by the gRPC and the REST server."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from seq2sum_serving.embedded.batching.batched_servable import BatchedServable
from seq2sum_serving.embedded.batching.tasks import Outcome
from seq2sum_serving.embedded.errors import ServingError, internal_error
from seq2sum_serving.embedded.inference import metadata, multi_inference, predict, runtime
from seq2sum_serving.embedded.inference.classify import classify
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.regress import regress
from seq2sum_serving.embedded.model_spec import Handle, model_spec_of

Done = Callable[[bytes | ServingError], None]
"""Receives a serialized response or an error."""
Finish = Callable[[], None]
"""Runs what was started."""


class PredictionService:
    """Runs requests on the versions they name. Safe to use from any thread.

    Every method raises ServingError. Timeouts are seconds, and limit only the run of the graph.
    """

    def __init__(
        self, handle: Callable[[model_pb2.ModelSpec], Handle], options: InferenceOptions
    ) -> None:
        self._handle = handle
        self._options = options

    def predict(
        self, request: predict_pb2.PredictRequest, timeout: float | None = None
    ) -> predict_pb2.PredictResponse:
        """Runs Predict."""
        with self._handle(model_spec_of(request)) as (version, servable):
            return predict.predict(
                servable, version, request, options=self._options, timeout=timeout
            )

    def predict_bytes(
        self, request: predict_pb2.PredictRequest, timeout: float | None = None
    ) -> bytes:
        """Runs Predict, and returns the serialized response."""
        with self._handle(model_spec_of(request)) as (version, servable):
            call = predict.prepare(servable, version, request, self._options)
            return call.serialized(predict.run(servable, call, timeout))

    def start_predict(
        self, request: predict_pb2.PredictRequest, timeout: float | None, done: Done
    ) -> Finish | None:
        """Starts Predict in a batch with other requests, and calls `done` at its end.

        Returns the function that runs it, unless another thread has done so; or None, without
        effect, if the version does not batch, or the request has no rows.
        """
        handle = self._handle(model_spec_of(request))
        shared = False
        try:
            servable = handle.servable
            if not isinstance(servable, BatchedServable):
                return None
            call = predict.prepare(servable, handle.number, request, self._options)
            if not call.has_rows:
                return None
            started = perf_counter()

            def finish(result: Outcome) -> None:
                outcome: bytes | ServingError
                try:
                    if not isinstance(result, Exception):
                        runtime.record(call.model, predict.API, started)
                        outcome = call.serialized(result)
                    elif isinstance(result, ServingError):
                        outcome = result
                    else:
                        outcome = internal_error(result)
                except Exception as error:  # noqa: BLE001  # logged
                    outcome = internal_error(error)
                finally:
                    handle.release()
                done(outcome)

            servable.submit(call.feeds, call.fetches, timeout=timeout, done=finish)
            shared = True
        finally:
            if not shared:
                handle.release()
        return servable.run_waiting

    def classify(
        self, request: classification_pb2.ClassificationRequest, timeout: float | None = None
    ) -> Any:
        """Runs Classify; the response is a `byte_labels` message."""
        with self._handle(model_spec_of(request)) as (version, servable):
            return classify(servable, version, request, options=self._options, timeout=timeout)

    def regress(
        self, request: regression_pb2.RegressionRequest, timeout: float | None = None
    ) -> regression_pb2.RegressionResponse:
        """Runs Regress."""
        with self._handle(model_spec_of(request)) as (version, servable):
            return regress(servable, version, request, options=self._options, timeout=timeout)

    def multi_inference(
        self, request: inference_pb2.MultiInferenceRequest, timeout: float | None = None
    ) -> Any:
        """Runs MultiInference on the version that the first task names.

        The response is a `byte_labels` message.
        """
        with self._handle(multi_inference.model_of(request)) as (version, servable):
            return multi_inference.multi_inference(
                servable, version, request, options=self._options, timeout=timeout
            )

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Returns the signatures of a version."""
        spec = model_spec_of(request)
        metadata.check_fields(request.metadata_field)
        with self._handle(spec) as (version, servable):
            return metadata.metadata(servable, version, request)
