"""Callers whose every call must be answered, and rightly, whatever else goes on."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import grpc
import tensorflow as tf
from soak.world import SECONDS, THREADS, World, predict_request, stubs, sums
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

PAUSE = 0.005
"""Seconds between two calls of a caller: load, but the swaps have to get on, too."""
BATCHES = (1, 8, 64)
MODELS = ("steady", "swapped", "broken")
LABEL = "stable"


def over_grpc(world: World) -> None:
    """Predict on every model in turn."""
    with stubs(world) as server:
        turn = 0
        while not world.over.wait(PAUSE):
            model, batch = MODELS[turn % len(MODELS)], BATCHES[turn % 7 % len(BATCHES)]
            turn += 1
            questions, right = sums(batch)
            try:
                reply = server.prediction.Predict(predict_request(model, questions), SECONDS)
            except grpc.RpcError as error:
                world.ledger.wrong(f"gRPC Predict, {model}", f"{error.code()} {error.details()}")
                continue
            given = list(reply.outputs["answers"].string_val)
            if given == right and reply.model_spec.version.value > 0:
                world.ledger.fine(f"gRPC Predict, {model}")
            else:
                world.ledger.wrong(f"gRPC Predict, {model}", f"answered {given[:3]}")


def over_rest(world: World) -> None:
    """The same over REST."""
    turn = 0
    while not world.over.wait(PAUSE * 2):
        model, batch = MODELS[turn % len(MODELS)], BATCHES[turn % 7 % len(BATCHES)]
        turn += 1
        questions, right = sums(batch)
        path = f"/v1/models/{model}:predict"
        try:
            code, body = world.rest("POST", path, json.dumps({"inputs": questions}))
            given = json.loads(body)["outputs"]["answers"] if code == 200 else body
        except (OSError, ValueError, KeyError) as error:
            code, given = 0, repr(error)
        if code == 200 and given == [answer.decode() for answer in right]:
            world.ledger.fine(f"REST predict, {model}")
        else:
            world.ledger.wrong(f"REST predict, {model}", f"{code} {given!r}")


def by_label(world: World) -> None:
    """Predict by a label that a reload moves between two versions."""
    with stubs(world) as server:
        while not world.over.wait(PAUSE * 4):
            questions, _ = sums(1)
            try:
                reply = server.prediction.Predict(
                    predict_request("steady", questions, label=LABEL), SECONDS
                )
                version = reply.model_spec.version.value
            except grpc.RpcError as error:
                world.ledger.wrong("gRPC Predict, by label", f"{error.code()} {error.details()}")
            else:
                assert version in (1, 2)
                world.ledger.fine("gRPC Predict, by label")


def large(world: World) -> None:
    """Messages of tens of megabytes in both directions, which are no error."""
    sizes = [1, 8, 32]
    with stubs(world) as server:
        turn = 0
        while not world.over.wait(5):
            size = sizes[turn % len(sizes)] << 20
            turn += 1
            request = predict_request(
                "steady", [b"x" * size], tf.string, alias="blob", signature="blob"
            )
            try:
                reply = server.prediction.Predict(request, SECONDS)
            except grpc.RpcError as error:
                world.ledger.wrong("gRPC Predict, tens of MB", f"{error.code()} {error.details()}")
                continue
            if len(reply.outputs["blob_bytes"].string_val[0]) == size:
                world.ledger.fine("gRPC Predict, tens of MB")
            else:
                world.ledger.wrong("gRPC Predict, tens of MB", "came back shorter")


def onlookers(world: World) -> None:
    """Status, metadata and metrics, as dashboards ask for them."""
    metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    metadata.model_spec.name = "swapped"
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "swapped"
    paths = ("/v1/models/swapped", "/v1/models/swapped/metadata", "/monitoring/prometheus/metrics")
    with stubs(world) as server:
        while not world.over.wait(0.25):
            try:
                server.prediction.GetModelMetadata(metadata, SECONDS)
                server.model.GetModelStatus(status, SECONDS)
                world.ledger.fine("status and metadata")
            except grpc.RpcError as error:
                world.ledger.wrong("status and metadata", f"{error.code()} {error.details()}")
            for path in paths:
                try:
                    code, body = world.rest("GET", path)
                except OSError as error:
                    code, body = 0, repr(error).encode()
                if code == 200:
                    world.ledger.fine("REST status, metadata, metrics")
                else:
                    world.ledger.wrong("REST status, metadata, metrics", f"{path} {code} {body!r}")


def crowd(world: World) -> None:
    """As many calls at once as there are threads for them: then all threads are there.

    They are started when they are needed for the first time; later they would look like a leak.
    """
    request = predict_request("steady", [1000], tf.int32, alias="steps", signature="slow")
    body = json.dumps({"signature_name": "slow", "inputs": [1000]})
    with stubs(world) as server, ThreadPoolExecutor(THREADS) as pool:
        calls = [server.prediction.Predict.future(request, SECONDS) for _ in range(THREADS)]
        rest = [
            pool.submit(world.rest, "POST", "/v1/models/steady:predict", body)
            for _ in range(THREADS)
        ]
        for call in (*calls, *rest):
            call.exception()  # one that is refused did its part: all threads were busy


ACTORS = (over_grpc, over_grpc, over_grpc, over_rest, over_rest, by_label, large, onlookers)
"""Each runs in a thread of its own."""
