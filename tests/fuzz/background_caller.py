"""A well-behaved caller during the fuzzing: its calls must be answered correctly and in time."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

from fuzz.inputs import Call, Rest
from fuzz.replies import GrpcReply, HttpReply
from fuzz.server import Server
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2

INTERVAL_SECONDS = 0.02
MAX_SECONDS = 10.0
"""For a reply. Fuzzing, servers and other programs share the machine."""


class BackgroundCaller:
    """Calls one server from a separate thread, alternately over gRPC and REST."""

    def __init__(self, server: Server, report: Callable[[str], None]) -> None:
        self.calls = 0
        self.slowest = 0.0
        self._server, self._report = server, report
        self._stop, self._paused = threading.Event(), threading.Event()
        self._calling = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="background caller")

    def __enter__(self) -> BackgroundCaller:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def pause(self) -> None:
        """Waits for the call in flight, and makes no other until `resume`."""
        self._paused.set()
        with self._calling:
            pass

    def resume(self) -> None:
        self._paused.clear()

    def _run(self) -> None:
        for number in itertools.count():
            if self._stop.wait(INTERVAL_SECONDS):
                return
            with self._calling:
                if not self._paused.is_set():
                    self._call(number)

    def _call(self, number: int) -> None:
        start = time.monotonic()
        check = check_grpc if number % 2 else check_rest
        problem = check(self._server, number % 500)
        seconds = time.monotonic() - start
        self.calls += 1
        self.slowest = max(self.slowest, seconds)
        if problem:
            self._report(f"{problem}, after {seconds:.2f} s")
        elif seconds > MAX_SECONDS:
            self._report(f"answered after {seconds:.1f} s; {MAX_SECONDS:g} s are allowed")


def check_grpc(server: Server, number: int) -> str:
    """Makes a well-formed gRPC call; returns what is wrong with the reply, empty for nothing."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "fixture"
    request.inputs["questions"].CopyFrom(
        tensor_pb2.TensorProto(
            dtype=types_pb2.DT_STRING,
            tensor_shape={"dim": [{"size": 1}]},
            string_val=[b"%d+7" % number],
        )
    )
    reply = server.send(Call("Predict", request.SerializeToString()))
    if not isinstance(reply, GrpcReply) or reply.code != "OK":
        return describe(reply)
    answers = predict_pb2.PredictResponse.FromString(reply.data).outputs["answers"]
    return "" if list(answers.string_val) == [b"%d" % (number + 7)] else describe(answers)


def check_rest(server: Server, number: int) -> str:
    """Makes a well-formed REST call; returns what is wrong with the reply, empty for nothing."""
    body = b'{"instances": [%d.25]}' % number
    reply = server.send(Rest("POST", "/v1/models/odd:predict", body))
    if isinstance(reply, HttpReply) and reply.status == 200 and b"%d.25" % number in reply.body:
        return ""
    return describe(reply)


def describe(reply: object) -> str:
    return f"a good call was answered with {str(reply)[:300]}"
