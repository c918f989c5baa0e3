"""Actors whose calls must all be answered correctly, whatever else happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from benchmarks.soak.context import (
    THREADS,
    TIMEOUT,
    Context,
    blob_request,
    predict_request,
    slow_request,
    sums,
)

PAUSE = 0.005
"""Seconds between two calls of an actor, so that swaps make progress under load too."""
BATCHES = (1, 8, 64)
MODELS = ("steady", "swapped", "broken")
LABEL = "stable"


class WrongAnswer(Exception):
    """An answer that is not the expected one."""


@contextmanager
def counted(context: Context, kind: str) -> Iterator[None]:
    """Counts one call; it failed if the `with` block raises an error of gRPC or HTTP."""
    try:
        yield
    except grpc.RpcError as error:
        context.counter.failed(kind, f"{error.code()} {error.details()}")
    except (OSError, ValueError, KeyError, WrongAnswer) as error:
        context.counter.failed(kind, repr(error))
    else:
        context.counter.ok(kind)


def grpc_predict(context: Context) -> None:
    """Calls Predict over gRPC, the models in turn."""
    with context.stubs() as server:
        turn = 0
        while not context.over.wait(PAUSE):
            model, batch = MODELS[turn % len(MODELS)], BATCHES[turn % 7 % len(BATCHES)]
            turn += 1
            questions, expected = sums(batch)
            with counted(context, f"gRPC Predict, {model}"):
                reply = server.prediction.Predict(predict_request(model, questions), TIMEOUT)
                answers = list(reply.outputs["answers"].string_val)
                if answers != expected or reply.model_spec.version.value <= 0:
                    raise WrongAnswer(answers[:3])


def rest_predict(context: Context) -> None:
    """Calls predict over REST, the models in turn."""
    turn = 0
    while not context.over.wait(PAUSE * 2):
        model, batch = MODELS[turn % len(MODELS)], BATCHES[turn % 7 % len(BATCHES)]
        turn += 1
        questions, expected = sums(batch)
        with counted(context, f"REST predict, {model}"):
            body = rest(context, "POST", f"/v1/models/{model}:predict", {"inputs": questions})
            answers = json.loads(body)["outputs"]["answers"]
            if answers != [answer.decode() for answer in expected]:
                raise WrongAnswer(answers[:3])


def rest(context: Context, method: str, path: str, body: object = None) -> bytes:
    """Sends an HTTP request; raises unless the status is 200."""
    status, reply = context.http(method, path, None if body is None else json.dumps(body))
    if status != 200:
        raise WrongAnswer(f"{path} {status} {reply!r}")
    return reply


def predict_by_label(context: Context) -> None:
    """Calls Predict by a label that reloads move between two versions."""
    with context.stubs() as server:
        while not context.over.wait(PAUSE * 4):
            questions, _ = sums(1)
            request = predict_request("steady", questions, label=LABEL)
            with counted(context, "gRPC Predict, by label"):
                version = server.prediction.Predict(request, TIMEOUT).model_spec.version.value
                if version not in (1, 2):
                    raise WrongAnswer(f"version {version}")


def predict_large(context: Context) -> None:
    """Sends and receives messages of up to 32 MiB."""
    sizes = [1, 8, 32]
    with context.stubs() as server:
        turn = 0
        while not context.over.wait(5):
            size = sizes[turn % len(sizes)] << 20
            turn += 1
            with counted(context, "gRPC Predict, tens of MB"):
                reply = server.prediction.Predict(blob_request(size), TIMEOUT)
                received = len(reply.outputs["blob_bytes"].string_val[0])
                if received != size:
                    raise WrongAnswer(f"{received} bytes of {size}")


def poll_monitoring(context: Context) -> None:
    """Requests status, metadata and metrics, as dashboards do."""
    metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    metadata.model_spec.name = "swapped"
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "swapped"
    paths = ("/v1/models/swapped", "/v1/models/swapped/metadata", "/monitoring/prometheus/metrics")
    with context.stubs() as server:
        while not context.over.wait(0.25):
            with counted(context, "status and metadata"):
                server.prediction.GetModelMetadata(metadata, TIMEOUT)
                server.model.GetModelStatus(status, TIMEOUT)
            for path in paths:
                with counted(context, "REST status, metadata, metrics"):
                    rest(context, "GET", path)


def occupy_all_threads(context: Context) -> None:
    """Sends as many concurrent calls as the server has threads.

    The server starts a thread when it is first needed; later this would look like a leak.
    """
    body = json.dumps({"signature_name": "slow", "inputs": [1000]})
    with context.stubs() as server, ThreadPoolExecutor(THREADS) as pool:
        calls = [
            server.prediction.Predict.future(slow_request(1000), TIMEOUT) for _ in range(THREADS)
        ]
        requests = [
            pool.submit(context.http, "POST", "/v1/models/steady:predict", body)
            for _ in range(THREADS)
        ]
        for call in (*calls, *requests):
            call.exception()  # a refused call is fine: all threads were busy then


ACTORS = (
    grpc_predict, grpc_predict, grpc_predict, rest_predict, rest_predict, predict_by_label,
    predict_large, poll_monitoring,
)  # fmt: skip
"""Each runs in a thread."""
