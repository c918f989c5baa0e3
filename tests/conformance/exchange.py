"""Calls of a case: sends the recorded request and returns the reply in the recorded fields."""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any

from conformance.case import Step
from conformance.folder import Folder
from conformance.server_under_test import ServerUnderTest
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

Observation = dict[str, Any]

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
"""Method to service, request and response; other methods are recorded as full paths and bytes."""

RPC_SECONDS = 120.0
"""Timeout of calls without a recorded one; long, because the machine may be busy."""
REST_SECONDS = 120.0
NO_REPLY = 0
"""The recorded HTTP code of a call that got no reply in time."""


def rpc(server: ServerUnderTest, step: Step) -> Observation:
    """Makes a gRPC call."""
    method = step["rpc"]
    service = METHODS[method][0] if method in METHODS else ""
    code, message, data = server.call(
        service + method, request(server.folder, step), step.get("timeout_s", RPC_SECONDS)
    )
    observation = {"code": code, "message": server.folder.mask_paths(message)}
    if code == "OK":
        observation["response_bytes_b64"] = base64.b64encode(data).decode()
        observation["response"] = response(method, data, server.folder)
    return observation


def request(folder: Folder, step: Step) -> bytes:
    """Returns the recorded bytes, or the recorded JSON with the folders of this run."""
    if not step.get("has_paths"):
        return base64.b64decode(step["request_bytes_b64"])
    kind = METHODS[step["rpc"]][1]
    return json_format.Parse(
        folder.expand_paths(json.dumps(step["request"])), kind()
    ).SerializeToString()


def response(method: str, data: bytes, folder: Folder | None = None) -> Any:
    """Returns a reply as protobuf JSON; None if the method is not in METHODS."""
    if method not in METHODS:
        return None
    message = METHODS[method][2].FromString(data)
    text = json_format.MessageToJson(message, preserving_proto_field_name=True)
    return json.loads(folder.mask_paths(text) if folder else text)


def rest(server: ServerUnderTest, step: Step) -> Observation:
    """Makes an HTTP call on the REST port."""
    if "body_b64" in step:
        body = base64.b64decode(step["body_b64"])
    else:
        body = step["body"].encode() if "body" in step else None
    timeout = step.get("timeout_s", REST_SECONDS)
    connection = http.client.HTTPConnection("127.0.0.1", server.ports["rest"], timeout=timeout)
    try:
        connection.request(step["rest"], step["path"], body, step.get("headers", {}))
        reply = connection.getresponse()
        data = reply.read()
    except TimeoutError:
        return {"http_code": NO_REPLY, "content_type": "", "reply": "(no answer)"}
    finally:
        connection.close()
    return {
        "http_code": reply.status,
        "content_type": reply.getheader("Content-Type") or "",
        "reply": server.folder.mask_paths(data.decode("utf-8", "replace")),
    }
