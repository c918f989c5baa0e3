"""The data plane: every request, whichever front it came through, and its reply.

The fronts parse and write; what a request means is here, once for gRPC and REST.
"""

from __future__ import annotations

from typing import Any

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from seq2sum_serving.embedded.inference import metadata, multi_inference, predict
from seq2sum_serving.embedded.inference.classify import classify
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.regress import regress
from seq2sum_serving.embedded.server_core import Core, model_of


class DataPlane:
    """PredictionService over a core. Safe to use from any thread.

    Every method raises ServingError. Timeouts are seconds for the run of the graph alone.
    """

    def __init__(self, core: Core, options: InferenceOptions) -> None:
        self._core = core
        self._options = options

    def predict(
        self, request: predict_pb2.PredictRequest, *, timeout: float | None = None
    ) -> predict_pb2.PredictResponse:
        """Answers Predict."""
        with self._core.handle(model_of(request)) as (version, servable):
            return predict.predict(
                servable, version, request, options=self._options, timeout=timeout
            )

    def classify(
        self, request: classification_pb2.ClassificationRequest, *, timeout: float | None = None
    ) -> Any:
        """Answers Classify, with a reply of `byte_labels`."""
        with self._core.handle(model_of(request)) as (version, servable):
            return classify(servable, version, request, options=self._options, timeout=timeout)

    def regress(
        self, request: regression_pb2.RegressionRequest, *, timeout: float | None = None
    ) -> regression_pb2.RegressionResponse:
        """Answers Regress."""
        with self._core.handle(model_of(request)) as (version, servable):
            return regress(servable, version, request, options=self._options, timeout=timeout)

    def multi_inference(
        self, request: inference_pb2.MultiInferenceRequest, *, timeout: float | None = None
    ) -> Any:
        """Answers MultiInference, with a `byte_labels` reply; the first task sets the version."""
        with self._core.handle(multi_inference.model_of(request)) as (version, servable):
            return multi_inference.multi_inference(
                servable, version, request, options=self._options, timeout=timeout
            )

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Answers GetModelMetadata."""
        spec = model_of(request)
        metadata.check_fields(request.metadata_field)
        with self._core.handle(spec) as (version, servable):
            return metadata.metadata(servable, version, request)
