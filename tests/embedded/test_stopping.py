"""Servers that are stopped under load, with a second server in the clients' list."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from contextlib import ExitStack

import grpc
import pytest
import seq2sum
from support.raw_requests import predict_request

pytestmark = [pytest.mark.tensorflow, pytest.mark.server, pytest.mark.embedded]

STOPS = 3
PREDICT = "/tensorflow.serving.PredictionService/Predict"
RETRY = {
    "name": [{}],
    "retryPolicy": {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    },
}


class Callers:
    """Threads that make calls without pause; counts the calls by status."""

    def __init__(self, call, count):
        self.codes = Counter()
        self._call = call
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _run(self):
        while not self._done.is_set():
            try:
                self._call()
                self.codes["OK"] += 1
            except grpc.RpcError as error:
                self.codes[error.code().name, error.details()] += 1
            except seq2sum.Seq2SumError as error:
                self.codes[str(error)] += 1

    def wait_for_successes(self):
        """Waits until more calls have succeeded."""
        before = self.codes["OK"]
        while self.codes["OK"] < before + 20:
            assert not self._done.wait(0.01)


def predict_call(stack, targets, *method_configs):
    """Returns a function that calls Predict through plain gRPC."""
    config = json.dumps({"methodConfig": method_configs})  # with pick_first, the default
    channel = stack.enter_context(
        grpc.insecure_channel(
            "ipv4:" + ",".join(targets),
            # The native server refuses an authority with a comma.
            [("grpc.service_config", config), ("grpc.default_authority", targets[0])],
        )
    )
    call, request = channel.unary_unary(PREDICT), predict_request("3+4").SerializeToString()
    return lambda: call(request, timeout=30)


def test_no_call_fails_when_one_of_two_servers_stops(base_path, start_server):
    spare = start_server(base_path)
    for _ in range(STOPS):
        server = start_server(base_path)
        targets = [server.target, spare.target]
        with ExitStack() as stack:
            client = stack.enter_context(seq2sum.Client(targets, timeout=30))
            sdk = stack.enter_context(Callers(lambda client=client: client.add("3+4"), 3))
            retrying = stack.enter_context(Callers(predict_call(stack, targets, RETRY), 3))
            plain = stack.enter_context(Callers(predict_call(stack, targets), 2))
            for callers in (sdk, retrying, plain):
                callers.wait_for_successes()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0
            for callers in (sdk, retrying, plain):
                callers.wait_for_successes()
        assert set(sdk.codes) == {"OK"}
        assert set(retrying.codes) == {"OK"}
        refused = {code for code in plain.codes if code != "OK"}
        assert {code for code, _ in refused} <= {"UNAVAILABLE"}
