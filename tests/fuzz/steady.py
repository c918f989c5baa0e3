"""A well-behaved caller beside the fuzzing: its calls must be answered, right and in time."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

from fuzz.inputs import Call, Rest
from fuzz.replies import GrpcReply, HttpReply, Reply
from fuzz.server import Server
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2

PAUSE_SECONDS = 0.02
SECONDS = 10.0
"""In which an answer must be there. Fuzzing, servers and other programs share the machine."""


class SteadyCaller:
    """Asks one server in a thread of its own, over gRPC and REST in turns."""

    def __init__(self, server: Server, wrong: Callable[[str], None]) -> None:
        self.asked = 0
        self.slowest = 0.0
        self._server, self._wrong = server, wrong
        self._over, self._resting = threading.Event(), threading.Event()
        self._asking = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="steady caller")

    def __enter__(self) -> SteadyCaller:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def pause(self) -> None:
        """Waits for the call under way, and makes no other until `resume`."""
        self._resting.set()
        with self._asking:
            pass

    def resume(self) -> None:
        self._resting.clear()

    def _run(self) -> None:
        for number in itertools.count():
            if self._over.wait(PAUSE_SECONDS):
                return
            with self._asking:
                if not self._resting.is_set():
                    self._ask(number)

    def _ask(self, number: int) -> None:
        began = time.monotonic()
        check = check_grpc if number % 2 else check_rest
        problem = check(self._server, number % 500)
        took = time.monotonic() - began
        self.asked += 1
        self.slowest = max(self.slowest, took)
        if problem:
            self._wrong(f"{problem}, after {took:.2f} s")
        elif took > SECONDS:
            self._wrong(f"answered after {took:.1f} s; {SECONDS:g} s are allowed")


def check_grpc(server: Server, number: int) -> str:
    """What is wrong with the answer to a good question; empty if nothing is."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "fixture"
    request.inputs["questions"].CopyFrom(
        tensor_pb2.TensorProto(
            dtype=types_pb2.DT_STRING,
            tensor_shape={"dim": [{"size": 1}]},
            string_val=[b"%d+7" % number],
        )
    )
    reply = server.ask(Call("Predict", request.SerializeToString()))
    if not isinstance(reply, GrpcReply) or reply.code != "OK":
        return wrong(reply)
    answers = predict_pb2.PredictResponse.FromString(reply.data).outputs["answers"]
    return "" if list(answers.string_val) == [b"%d" % (number + 7)] else wrong(answers.string_val)


def check_rest(server: Server, number: int) -> str:
    """The same over REST."""
    question = Rest("POST", "/v1/models/odd:predict", b'{"instances": [%d.25]}' % number)
    reply = server.ask(question)
    if isinstance(reply, HttpReply) and reply.status == 200 and b"%d.25" % number in reply.body:
        return ""
    return wrong(reply)


def wrong(reply: Reply | object) -> str:
    return f"a good call was answered with {str(reply)[:300]}"
