"""Callers of the router that know nothing of groups: raw gRPC stubs and REST, without a label.

They do not retry: failed calls are visible, and only the router can prevent them.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter
from typing import NamedTuple

import grpc
from deploy.balancing_load import TIMEOUT
from seq2sum._methods import PREDICT
from seq2sum.addition import contract
from seq2sum.protocol import tensor_pb2
from support.caller_threads import CallerThreads

THREADS = 3
"""Of each kind."""
QUESTION, ANSWER = "4+5", "9"


class Call(NamedTuple):
    """The result of a call."""

    protocol: str
    version: int | None = None
    """The version that answered by gRPC; replies of REST do not contain it."""
    error: str = ""


def predict(channel: grpc.Channel, key: str = "") -> int:
    """Makes a call by gRPC, and returns the version that answered.

    Raises:
        grpc.RpcError: The call failed.
        AssertionError: The answer is wrong.
    """
    request = PREDICT.request()
    request.model_spec.name = contract.MODEL_NAME
    tensor = request.inputs[contract.QUESTIONS.name]
    tensor.dtype = tensor_pb2.DT_STRING
    tensor.tensor_shape.dim.add(size=1)
    tensor.string_val.append(QUESTION.encode())
    call = channel.unary_unary(
        PREDICT.path,
        request_serializer=PREDICT.request.SerializeToString,
        response_deserializer=PREDICT.response.FromString,
    )
    reply = call(request, timeout=TIMEOUT, metadata=[("x-seq2sum-key", key)] if key else None)
    answer = reply.outputs[contract.ANSWERS.name].string_val[0].decode()
    assert answer == ANSWER, answer
    return reply.model_spec.version.value


def predict_by_rest(target: str, path: str = "", key: str = "") -> None:
    """Makes a call by REST.

    Args:
        target: Host and port.
        path: What the path names after the model: `/versions/1`, `/labels/stable`.
        key: The value of the header that makes calls sticky.

    Raises:
        OSError: The call failed.
        AssertionError: The answer is wrong.
    """
    url = f"http://{target}/v1/models/{contract.MODEL_NAME}{path}:predict"
    body = json.dumps({"inputs": {contract.QUESTIONS.name: [QUESTION]}}).encode()
    request = urllib.request.Request(url, body, {"x-seq2sum-key": key} if key else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as reply:
        [answer] = json.load(reply)["outputs"][contract.ANSWERS.name]
    assert answer == ANSWER, answer


class RouterCallers(CallerThreads):
    """Makes calls to the router from `__enter__` to `__exit__`."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._target = target

    def functions(self):
        self._channel = grpc.insecure_channel(self._target)
        return [self._call] * THREADS + [self._call_by_rest] * THREADS

    def close(self) -> None:
        self._channel.close()

    @property
    def failed(self) -> list[Call]:
        """The calls without a correct answer."""
        return [call for call in self.calls if call.error]

    def next_calls(self, count: int) -> Counter:
        """Waits for further calls of each kind; returns the answers of gRPC by version."""
        start, deadline = len(self.calls), time.monotonic() + TIMEOUT
        while True:
            new = self.calls[start:]
            protocols = Counter(call.protocol for call in new)
            if min(protocols["gRPC"], protocols["REST"]) >= count:
                return Counter(call.version for call in new if call.version is not None)
            assert time.monotonic() < deadline, f"calls hang: {protocols}; {self.failed[:3]}"
            time.sleep(0.005)

    def _call(self) -> None:
        while not self.over.is_set():
            try:
                self.calls.append(Call("gRPC", predict(self._channel)))
            except (grpc.RpcError, AssertionError) as error:
                self.calls.append(Call("gRPC", error=repr(error)))

    def _call_by_rest(self) -> None:
        while not self.over.is_set():
            try:
                predict_by_rest(self._target)
                self.calls.append(Call("REST"))
            except (OSError, AssertionError) as error:
                self.calls.append(Call("REST", error=repr(error)))
