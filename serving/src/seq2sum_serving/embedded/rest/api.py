"""Calls of the REST API: from a verb, a path and a body to a reply, counted and timed.

The calls build the same requests as gRPC and go through the same data plane. They block; the
front runs them on its worker threads.
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
from seq2sum_serving.embedded.monitoring import metrics
from seq2sum_serving.embedded.prediction_service import DataPlane
from seq2sum_serving.embedded.rest import (
    examples_from_json,
    messages_to_json,
    replies,
    tensors_from_json,
    tensors_to_json,
)
from seq2sum_serving.embedded.rest.json_writer import error_text
from seq2sum_serving.embedded.rest.paths import Action, NoRoute, Route, route
from seq2sum_serving.embedded.rest.replies import Reply
from seq2sum_serving.embedded.server_core import Core

log = logging.getLogger(__name__)

DEFAULT_SIGNATURE = "serving_default"


class RestApi:
    """The API over a data plane and a core. Safe to use from any thread."""

    def __init__(self, plane: DataPlane, core: Core, timeout: float | None) -> None:
        """Makes the API.

        Args:
            plane: Answers predict, classify, regress and metadata.
            core: Knows states and signatures.
            timeout: Seconds that the graph may run for a call; None for no limit.
        """
        self._plane = plane
        self._core = core
        self._timeout = timeout

    def answer(self, verb: str, path: str, body: bytes) -> Reply:
        """Answers a call.

        Args:
            verb: HTTP method.
            path: Path and query as sent; it begins with `/v1/`.
            body: What was sent, inflated.
        """
        start = time.perf_counter()
        model, action, code = "", Action.STATUS, Code.OK
        try:
            asked = route(verb, path)
            model, action = asked.model, asked.action
            reply = replies.text(self._answer(asked, body))
        except NoRoute as error:
            model, code = error.model, error.code
            reply = replies.text("" if error.silent else error_text(error.message), code)
        except ServingError as error:
            code = error.code
            reply = replies.text(error_text(error.message), code)
        except Exception as error:
            log.exception("%s %s failed", verb, path)
            code = Code.INTERNAL
            reply = replies.text(error_text(repr(error)), code)
        if code is Code.OK:
            _record_latency(model, action, time.perf_counter() - start)
        count_request(model, code)
        return reply

    def _answer(self, asked: Route, body: bytes) -> str:
        match asked.action:
            case Action.PREDICT:
                return self._predict(asked, body)
            case Action.CLASSIFY:
                classification = classification_pb2.ClassificationRequest(model_spec=asked.spec())
                examples_from_json.fill(classification, body)
                return tensors_to_json.classify_text(
                    self._plane.classify(classification, timeout=self._timeout).result
                )
            case Action.REGRESS:
                regression = regression_pb2.RegressionRequest(model_spec=asked.spec())
                examples_from_json.fill(regression, body)
                return tensors_to_json.regress_text(
                    self._plane.regress(regression, timeout=self._timeout).result
                )
            case Action.METADATA:
                metadata = get_model_metadata_pb2.GetModelMetadataRequest(
                    model_spec=asked.spec(), metadata_field=[messages_to_json.SIGNATURE_FIELD]
                )
                return messages_to_json.metadata_text(self._plane.metadata(metadata))
            case Action.STATUS:
                status = get_model_status_pb2.GetModelStatusRequest(model_spec=asked.spec())
                return messages_to_json.status_text(self._core.status(status))

    def _predict(self, asked: Route, body: bytes) -> str:
        request = predict_pb2.PredictRequest(model_spec=asked.spec())

        def inputs(signature: str) -> Mapping[str, Any]:
            return self._signature_inputs(asked, signature or DEFAULT_SIGNATURE)

        layout = tensors_from_json.fill(request, body, inputs)
        response = self._plane.predict(request, timeout=self._timeout)
        return tensors_to_json.predict_text(response.outputs, layout)

    def _signature_inputs(self, asked: Route, name: str) -> Mapping[str, Any]:
        # In use only for this look, as there: Predict takes a version of its own, and during a
        # change of versions it may be the next one.
        with self._core.handle(asked.spec()) as (_, servable):
            signature = servable.signatures.get(name)
        if signature is None:
            # Not what gRPC says in this case.
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f'Serving signature name: "{name}" not found in signature def',
            )
        found: Mapping[str, Any] = signature.inputs
        return found


def count_request(model: str, code: Code) -> None:
    """Counts a call, a failed one too."""
    metrics.cell(metrics.REQUEST_COUNT, model, code.name).inc()


def _record_latency(model: str, action: Action, seconds: float) -> None:
    api = "" if action in (Action.STATUS, Action.METADATA) else action.value
    metrics.cell(metrics.REQUEST_LATENCY, model, api, "REST").observe(seconds * 1e6)
