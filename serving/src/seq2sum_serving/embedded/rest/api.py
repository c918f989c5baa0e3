"""The REST API: maps a verb, a path and a body to a reply, with metrics.

Calls become the requests of the gRPC API and share its prediction service. They block, and run on
the worker threads of the HTTP server.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    regression_pb2,
)

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference.signatures import DEFAULT_SIGNATURE
from seq2sum_serving.embedded.monitoring import metrics
from seq2sum_serving.embedded.prediction_service import PredictionService
from seq2sum_serving.embedded.rest import (
    examples_from_json,
    messages_to_json,
    replies,
    tensors_from_json,
    tensors_to_json,
)
from seq2sum_serving.embedded.rest.json_writer import error_text
from seq2sum_serving.embedded.rest.paths import Action, Route, RouteError, parse_route
from seq2sum_serving.embedded.rest.replies import Reply
from seq2sum_serving.embedded.server_core import ServerCore

log = logging.getLogger(__name__)


class RestApi:
    """The API over a prediction service and a server core. Thread-safe."""

    def __init__(self, service: PredictionService, core: ServerCore, timeout: float | None) -> None:
        """Creates the API.

        Args:
            service: Serves predict, classify, regress and metadata.
            core: Provides states and signatures.
            timeout: Seconds that the graph may run for a call; None for no limit.
        """
        self._service = service
        self._core = core
        self._timeout = timeout

    def handle(self, verb: str, path: str, body: bytes) -> Reply:
        """Handles a call and records its metrics.

        Args:
            verb: HTTP method.
            path: Path and query as sent, starting with `/v1/`.
            body: The body, decompressed.
        """
        start = time.perf_counter()
        model, action, code = "", Action.STATUS, Code.OK
        try:
            route = parse_route(verb, path)
            model, action = route.model, route.action
            reply = replies.json_reply(self._call(route, body))
        except RouteError as error:
            model, code = error.model, error.code
            text = "" if error.has_empty_body else error_text(error.message)
            reply = replies.json_reply(text, code)
        except ServingError as error:
            code = error.code
            reply = replies.json_reply(error_text(error.message), code)
        except Exception as error:
            log.exception("%s %s failed", verb, path)
            code = Code.INTERNAL
            reply = replies.json_reply(error_text(repr(error)), code)
        if code is Code.OK:
            _record_latency(model, action, time.perf_counter() - start)
        count_request(model, code)
        return reply

    def _call(self, route: Route, body: bytes) -> str:
        match route.action:
            case Action.PREDICT:
                return self._predict(route, body)
            case Action.CLASSIFY:
                classification = classification_pb2.ClassificationRequest(model_spec=route.spec())
                examples_from_json.fill_request(classification, body)
                return tensors_to_json.classify_text(
                    self._service.classify(classification, timeout=self._timeout).result
                )
            case Action.REGRESS:
                regression = regression_pb2.RegressionRequest(model_spec=route.spec())
                examples_from_json.fill_request(regression, body)
                return tensors_to_json.regress_text(
                    self._service.regress(regression, timeout=self._timeout).result
                )
            case Action.METADATA:
                metadata = get_model_metadata_pb2.GetModelMetadataRequest(
                    model_spec=route.spec(), metadata_field=[messages_to_json.SIGNATURE_FIELD]
                )
                return messages_to_json.metadata_text(self._service.metadata(metadata))
            case Action.STATUS:
                status = get_model_status_pb2.GetModelStatusRequest(model_spec=route.spec())
                return messages_to_json.status_text(self._core.status(status))

    def _predict(self, route: Route, body: bytes) -> str:
        request = predict_pb2.PredictRequest(model_spec=route.spec())

        def inputs(signature: str) -> Mapping[str, Any]:
            return self._signature_inputs(route, signature or DEFAULT_SIGNATURE)

        layout = tensors_from_json.fill_request(request, body, inputs)
        response = self._service.predict(request, timeout=self._timeout)
        return tensors_to_json.predict_text(response.outputs, layout)

    def _signature_inputs(self, route: Route, name: str) -> Mapping[str, Any]:
        # Predict looks up the version again, as in TensorFlow Serving: during a change of versions
        # it may get the next one.
        with self._core.handle(route.spec()) as (_, servable):
            signature = servable.signatures.get(name)
        if signature is None:
            # The text differs from that over gRPC.
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f'Serving signature name: "{name}" not found in signature def',
            )
        inputs: Mapping[str, Any] = signature.inputs
        return inputs


def count_request(model: str, code: Code) -> None:
    """Counts a call, also if it fails."""
    metrics.REQUEST_COUNT.labels(model, code.name).inc()


def _record_latency(model: str, action: Action, seconds: float) -> None:
    api = "" if action in (Action.STATUS, Action.METADATA) else action.value
    metrics.REQUEST_LATENCY.labels(model, api, "REST").observe(seconds * 1e6)
