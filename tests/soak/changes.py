"""Actors that change what is served: swaps, broken versions, reloads."""

from __future__ import annotations

import itertools
import time

import grpc
from soak.load import LABEL
from soak.world import SECONDS, Stubs, World, predict_request, stubs, sums
from tensorflow_serving.apis import model_management_pb2

SWAP_SECONDS = 3.0
STATE_SECONDS = 60.0


def swaps(world: World) -> None:
    """Another version every few seconds: two steps up and one back, so numbers come again."""
    folder = world.subject.folder
    following = {"1": "2", "2": "3", "3": "1"}
    while not world.over.wait(SWAP_SECONDS):
        [old] = world.versions("swapped")
        new = following[old]
        folder.publish("swapped", new, new)
        if int(new) > int(old):  # the old one may go only when the new one serves
            reach(world, "swap", "swapped", {new: "AVAILABLE", old: "END"})
            folder.remove("swapped", old)
        else:
            folder.remove("swapped", old)
            reach(world, "swap", "swapped", {new: "AVAILABLE", old: "END"})


def broken_versions(world: World) -> None:
    """One that cannot be loaded ends with its error while the one before goes on.

    Its number is not used again, and a new good one follows: that is the way out of the
    fallback trap, which this server has as the real one does.
    """
    folder = world.subject.folder
    sources = itertools.cycle(["7", "9"])  # a file cut short; a warm-up record that fails
    while not world.over.wait(SWAP_SECONDS):
        [good] = world.versions("broken")
        bad, better = str(next(world.numbers)), str(next(world.numbers))
        folder.publish("broken", bad, next(sources))
        reach(world, "broken version", "broken", {bad: "END", good: "AVAILABLE"})
        folder.publish("broken", better, "1")
        reach(world, "swap", "broken", {better: "AVAILABLE", good: "END"})
        folder.remove("broken", bad)
        folder.remove("broken", good)


def reloads(world: World) -> None:
    """A model comes and goes, a label moves, and a bad list is refused."""
    with stubs(world) as server:
        for turn in itertools.count():
            added, version = turn % 2 == 1, turn // 2 % 2 + 1
            request = model_management_pb2.ReloadConfigRequest()
            request.config.model_config_list.CopyFrom(world.models(added=added))
            request.config.model_config_list.config[0].version_labels[LABEL] = version
            reload(world, server, request, grpc.StatusCode.OK)
            if added:
                ask_added(world, server)
            request.config.model_config_list.config[0].version_labels[LABEL] = 99
            reload(world, server, request, grpc.StatusCode.FAILED_PRECONDITION)
            request.config.model_config_list.config[1].base_path = "relative"
            reload(world, server, request, grpc.StatusCode.INVALID_ARGUMENT)
            if world.over.wait(SWAP_SECONDS):
                return


def reload(world: World, server: Stubs, request: object, wanted: grpc.StatusCode) -> None:
    try:
        server.model.HandleReloadConfigRequest(request, SECONDS)
        code, text = grpc.StatusCode.OK, ""
    except grpc.RpcError as error:
        code, text = error.code(), error.details()
    kind = "reload" if wanted is grpc.StatusCode.OK else "reload that is refused"
    if code is wanted:
        world.ledger.fine(kind)
    else:
        world.ledger.wrong(kind, f"{code} {text}")


def ask_added(world: World, server: Stubs) -> None:
    """A reload that has answered has loaded its new models."""
    questions, _ = sums(1)
    try:
        server.prediction.Predict(predict_request("added", questions), SECONDS)
        world.ledger.fine("gRPC Predict, added by reload")
    except grpc.RpcError as error:
        world.ledger.wrong("gRPC Predict, added by reload", f"{error.code()} {error.details()}")


def reach(world: World, kind: str, model: str, wanted: dict[str, str]) -> None:
    """Waits for the states that a change must lead to."""
    deadline = time.monotonic() + STATE_SECONDS
    while time.monotonic() < deadline:
        states = world.subject.states(model)
        if wanted.items() <= states.items():
            world.ledger.fine(kind)
            return
        time.sleep(0.1)
    world.ledger.wrong(kind, f"{model} did not reach {wanted}, it is {states}")


ACTORS = (swaps, broken_versions, reloads)
