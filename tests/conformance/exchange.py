"""Calls of a case: sends what was sent, and gives back what was seen in the recorded fields."""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any

from conformance.case import Step
from conformance.folder import Folder
from conformance.subject import Subject
from google.protobuf import json_format
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

Seen = dict[str, Any]

PREDICTION = "/tensorflow.serving.PredictionService/"
MODEL = "/tensorflow.serving.ModelService/"
METHODS = {
    "Predict": (PREDICTION, predict_pb2.PredictRequest, predict_pb2.PredictResponse),
    "Classify": (
        PREDICTION,
        classification_pb2.ClassificationRequest,
        classification_pb2.ClassificationResponse,
    ),
    "Regress": (PREDICTION, regression_pb2.RegressionRequest, regression_pb2.RegressionResponse),
    "MultiInference": (
        PREDICTION,
        inference_pb2.MultiInferenceRequest,
        inference_pb2.MultiInferenceResponse,
    ),
    "GetModelMetadata": (
        PREDICTION,
        get_model_metadata_pb2.GetModelMetadataRequest,
        get_model_metadata_pb2.GetModelMetadataResponse,
    ),
    "GetModelStatus": (
        MODEL,
        get_model_status_pb2.GetModelStatusRequest,
        get_model_status_pb2.GetModelStatusResponse,
    ),
    "HandleReloadConfigRequest": (
        MODEL,
        model_management_pb2.ReloadConfigRequest,
        model_management_pb2.ReloadConfigResponse,
    ),
}
"""Method to service, request and response; others are recorded as full paths and bytes."""

RPC_SECONDS = 120.0
"""Of a call without a recorded deadline; long, since other tests may keep the machine busy."""
REST_SECONDS = 120.0
NO_ANSWER = 0
"""Instead of an HTTP code, when none came in time."""


def rpc(subject: Subject, step: Step) -> Seen:
    """A gRPC call."""
    method = step["rpc"]
    service = METHODS[method][0] if method in METHODS else ""
    code, message, data = subject.call(
        service + method, request(subject.folder, step), step.get("timeout_s", RPC_SECONDS)
    )
    seen = {"code": code, "message": subject.folder.blanked(message)}
    if code == "OK":
        seen["response_bytes_b64"] = base64.b64encode(data).decode()
        seen["response"] = response(method, data, subject.folder)
    return seen


def request(folder: Folder, step: Step) -> bytes:
    """What is sent: the recorded bytes, or with folders in it the recorded JSON."""
    if not step.get("has_paths"):
        return base64.b64decode(step["request_bytes_b64"])
    kind = METHODS[step["rpc"]][1]
    return json_format.Parse(folder.filled(json.dumps(step["request"])), kind()).SerializeToString()


def response(method: str, data: bytes, folder: Folder | None = None) -> Any:
    """A reply as protobuf JSON; None if the method is not one of the two services."""
    if method not in METHODS:
        return None
    message = METHODS[method][2].FromString(data)
    text = json_format.MessageToJson(message, preserving_proto_field_name=True)
    return json.loads(folder.blanked(text) if folder else text)


def rest(subject: Subject, step: Step) -> Seen:
    """An HTTP call on the REST port."""
    if "body_b64" in step:
        body = base64.b64decode(step["body_b64"])
    else:
        body = step["body"].encode() if "body" in step else None
    timeout = step.get("timeout_s", REST_SECONDS)
    connection = http.client.HTTPConnection("127.0.0.1", subject.ports["rest"], timeout=timeout)
    try:
        connection.request(step["rest"], step["path"], body, step.get("headers", {}))
        reply = connection.getresponse()
        data = reply.read()
    except TimeoutError:
        return {"http_code": NO_ANSWER, "content_type": "", "reply": "(no answer)"}
    finally:
        connection.close()
    return {
        "http_code": reply.status,
        "content_type": reply.getheader("Content-Type") or "",
        "reply": subject.folder.blanked(data.decode("utf-8", "replace")),
    }
