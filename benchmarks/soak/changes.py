"""Actors that change the served models: swaps, broken versions, reloads."""

from __future__ import annotations

import itertools
import time

import grpc
from tensorflow_serving.apis import model_management_pb2

from benchmarks.soak.callers import LABEL, counted
from benchmarks.soak.context import TIMEOUT, Context, Stubs, predict_request, sums

SWAP_SECONDS = 3.0
STATE_SECONDS = 60.0


def swap_versions(context: Context) -> None:
    """Changes the version every few seconds: twice up and once down, so numbers are reused."""
    folder = context.subject.folder
    following = {"1": "2", "2": "3", "3": "1"}
    while not context.over.wait(SWAP_SECONDS):
        [old] = context.versions("swapped")
        new = following[old]
        folder.publish("swapped", new, new)
        if int(new) > int(old):  # the old one must stay until the new one is available
            wait_for_states(context, "swap", "swapped", {new: "AVAILABLE", old: "END"})
            folder.remove("swapped", old)
        else:
            folder.remove("swapped", old)
            wait_for_states(context, "swap", "swapped", {new: "AVAILABLE", old: "END"})


def publish_broken_versions(context: Context) -> None:
    """Publishes versions that fail to load, while the previous version keeps serving.

    The number of a broken version is not reused; a good version with a higher number follows. The
    previous version stays marked as not aspired, so it must be removed as soon as its successor is
    AVAILABLE (the fallback trap: see seq2sum_serving/rollout/planner.py).
    """
    folder = context.subject.folder
    sources = itertools.cycle(["7", "9"])  # a truncated file; a failing warm-up record
    while not context.over.wait(SWAP_SECONDS):
        [good] = context.versions("broken")
        bad, better = str(next(context.unused_versions)), str(next(context.unused_versions))
        folder.publish("broken", bad, next(sources))
        wait_for_states(context, "broken version", "broken", {bad: "END", good: "AVAILABLE"})
        folder.publish("broken", better, "1")
        wait_for_states(context, "swap", "broken", {better: "AVAILABLE", good: "END"})
        folder.remove("broken", bad)
        folder.remove("broken", good)


def reload_configs(context: Context) -> None:
    """Adds and removes a model, moves a label, and sends configs that must be refused."""
    with context.stubs() as server:
        for turn in itertools.count():
            added, version = turn % 2 == 1, turn // 2 % 2 + 1
            request = model_management_pb2.ReloadConfigRequest()
            request.config.model_config_list.CopyFrom(context.model_config_list(added=added))
            models = request.config.model_config_list.config
            models[0].version_labels[LABEL] = version
            reload(context, server, request, grpc.StatusCode.OK)
            if added:  # it is loaded once the reload has returned
                with counted(context, "gRPC Predict, added by reload"):
                    server.prediction.Predict(predict_request("added", sums(1)[0]), TIMEOUT)
            models[0].version_labels[LABEL] = 99
            reload(context, server, request, grpc.StatusCode.FAILED_PRECONDITION)
            models[1].base_path = "relative"
            reload(context, server, request, grpc.StatusCode.INVALID_ARGUMENT)
            if context.over.wait(SWAP_SECONDS):
                return


def reload(context: Context, server: Stubs, request: object, expected: grpc.StatusCode) -> None:
    """Sends a reload and checks its status."""
    try:
        server.model.HandleReloadConfigRequest(request, TIMEOUT)
        code, text = grpc.StatusCode.OK, ""
    except grpc.RpcError as error:
        code, text = error.code(), error.details()
    kind = "reload" if expected is grpc.StatusCode.OK else "refused reload"
    if code is expected:
        context.counter.ok(kind)
    else:
        context.counter.failed(kind, f"{code} {text}")


def wait_for_states(context: Context, kind: str, model: str, expected: dict[str, str]) -> None:
    """Waits until the versions of a model have these states."""
    deadline = time.monotonic() + STATE_SECONDS
    while time.monotonic() < deadline:
        states = context.subject.states(model)
        if expected.items() <= states.items():
            context.counter.ok(kind)
            return
        time.sleep(0.1)
    context.counter.failed(kind, f"{model}: expected {expected}, found {states}")


ACTORS = (swap_versions, publish_broken_versions, reload_configs)
