"""Callers that know nothing of rollouts, as most in the world: no version, no split, no retries.

They call the servers of the stable group directly, or Envoy: with the stubs of TensorFlow Serving
and by REST, without a label, and with the SDK. Each call sends one question and is recorded.
"""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
import seq2sum
from seq2sum import golden
from seq2sum.addition import contract
from support.caller_threads import CallerThreads

from benchmarks.rollout.calls import Call
from benchmarks.rollout.deployment import Deployment
from benchmarks.rollout.marked_versions import MARK

TIMEOUT = 30.0
"""Seconds for a call: none may fail, so also none that a busy machine slows down."""
DIRECT, ROUTER = "a stable server", "the router"
STUBS, REST, SDK_LABEL, SDK = (
    "TensorFlow Serving's stubs, no label",
    "REST, no label",
    "SDK, label stable",
    "SDK, no label",
)
Ask = Callable[[str], tuple[int, str]]
"""Sends a question; returns the version that answered, and the answer."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One thread that makes calls."""

    kind: str
    through_router: bool
    ask: Ask
    close: Callable[[], None]

    @property
    def name(self) -> str:
        """The kind, and what is called."""
        return f"{self.kind}, to {ROUTER if self.through_router else DIRECT}"


class Outsiders(CallerThreads):
    """Threads of every kind, which send calls while the `with` block is open.

    Args:
        deployment: The servers and the router.
        version: A version's folder; its golden requests are sent.
        pause: Seconds between two calls of a thread.
    """

    def __init__(self, deployment: Deployment, version: Path, *, pause: float = 0.0) -> None:
        super().__init__()
        self.calls: list[Call] = []
        """Calls in the order in which they finished; appending needs no lock."""
        self.start = time.time()
        requests = golden.read(version / "assets.extra" / golden.FILE_NAME)
        self._questions = [
            (request.inputs["questions"][0], request.expect["answers"][0])
            for request in requests
            if "status" not in request.expect  # the others are refused
        ]
        self._pause = pause
        router = deployment.router
        self._callers = [
            *(Caller(STUBS, False, *stubs(server.target)) for server in deployment.stable),
            *(
                Caller(REST, False, *rest(server.host, server.rest_port))
                for server in deployment.stable
            ),
            Caller(SDK_LABEL, False, *sdk(deployment.targets.split(","), label="stable")),
            *(Caller(STUBS, True, *stubs(router.target)) for _ in range(3)),
            *(Caller(REST, True, *rest(*_split(router.target))) for _ in range(2)),
            *(Caller(SDK, True, *sdk(router.target)) for _ in range(3)),
        ]

    def functions(self) -> Sequence[Callable[[], object]]:
        """Returns the function of each thread."""
        return [
            partial(self._call, caller, random.Random(number))
            for number, caller in enumerate(self._callers)
        ]

    def close(self) -> None:
        """Closes the connections."""
        for caller in self._callers:
            caller.close()

    @property
    def running(self) -> bool:
        """Whether calls are still being sent."""
        return not self.over.is_set()

    def _call(self, caller: Caller, rng: random.Random) -> None:
        who = {"caller": caller.name, "through_router": caller.through_router}
        while self.running:
            question, expected = rng.choice(self._questions)
            start = time.time()
            try:
                version, answer = caller.ask(question)
            except Exception as error:  # noqa: BLE001 any error is a failed call
                self.calls.append(Call(start, time.time(), error=repr(error), **who))
            else:
                right = answer == expected
                self.calls.append(Call(start, time.time(), version, right, **who))
            if self._pause:
                time.sleep(self._pause)


def stubs(target: str) -> tuple[Ask, Callable[[], None]]:
    """Returns a caller with the package tensorflow-serving-api, and the function to close it."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    channel = grpc.insecure_channel(target)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def ask(question: str) -> tuple[int, str]:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = contract.MODEL_NAME
        request.inputs[contract.QUESTIONS.name].CopyFrom(tf.make_tensor_proto([question]))
        reply = stub.Predict(request, timeout=TIMEOUT)
        [answer] = reply.outputs[contract.ANSWERS.name].string_val
        return reply.model_spec.version.value, answer.decode()

    return ask, channel.close


def rest(host: str, port: int) -> tuple[Ask, Callable[[], None]]:
    """Returns a caller by REST on a connection that is kept open, and the function to close it."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    path = f"/v1/models/{contract.MODEL_NAME}:predict"

    def ask(question: str) -> tuple[int, str]:
        body = json.dumps({"inputs": {contract.QUESTIONS.name: [question]}})
        try:
            connection.request("POST", path, body)
            reply = connection.getresponse()
            content = reply.read()
        except BaseException:
            connection.close()
            raise
        if reply.status != http.HTTPStatus.OK:
            raise OSError(f"HTTP status {reply.status}: {content[:200]!r}")
        outputs = json.loads(content)["outputs"]
        [answer] = outputs[contract.ANSWERS.name]
        return outputs[MARK], answer

    return ask, connection.close


def sdk(target: str | list[str], *, label: str | None = None) -> tuple[Ask, Callable[[], None]]:
    """Returns a caller with the SDK, and the function to close it."""
    retry = seq2sum.Retry(max_attempts=1)  # so that every failure shows
    client = seq2sum.Client(target, label=label, retry=retry, timeout=TIMEOUT)

    def ask(question: str) -> tuple[int, str]:
        answer = client.add(question)
        return answer.version, answer.text

    return ask, client.close


def _split(target: str) -> tuple[str, int]:
    host, port = target.rsplit(":", 1)
    return host, int(port)
