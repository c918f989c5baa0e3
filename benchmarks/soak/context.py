"""The server, its models, and the requests that the actors of a soak share."""

from __future__ import annotations

import http.client
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import grpc
import tensorflow as tf
from conformance.case import ServerSpec
from conformance.server_under_test import UNLIMITED, ServerUnderTest
from google.protobuf import text_format
from tensorflow_serving.apis import model_service_pb2_grpc, predict_pb2, prediction_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

from benchmarks.soak.call_counter import CallCounter

TIMEOUT = 60
"""Seconds for a call that must not fail: far more than a swap takes."""

THREADS = 32
"""Request threads of the gRPC server, and of the HTTP server."""

MODELS = {
    "steady": {"1": "1", "2": "2"},
    "swapped": {"1": "1"},
    "broken": {"1": "1"},
    "added": {"3": "3"},
}
"""Model to version to the version of the test fixture that is copied. steady: never changes.
swapped: changes its version all the time. broken: gets versions that cannot be loaded. added: is
added and removed by reloads."""

CONFIG = """
config {
  name: "steady" base_path: "{dir}/models/steady" model_platform: "tensorflow"
  model_version_policy { specific { versions: 1 versions: 2 } }
  version_labels { key: "stable" value: 1 }
}
config { name: "swapped" base_path: "{dir}/models/swapped" model_platform: "tensorflow" }
config { name: "broken" base_path: "{dir}/models/broken" model_platform: "tensorflow" }
"""
ADDED = 'config { name: "added" base_path: "{dir}/models/added" model_platform: "tensorflow" }'

SPEC = ServerSpec.read(
    {
        "models": MODELS,
        "config": f"model_config_list {{ {CONFIG} }}",
        "flags": [
            "--max_num_load_retries=0",
            "--num_load_threads=2",
            # Cancelled and dropped calls run to completion, as on tensorflow_model_server; they
            # must not take all threads from the calls that must not fail.
            f"--grpc_max_threads={THREADS}",
            f"--rest_api_num_threads={THREADS}",
            "--allow_version_labels_for_unavailable_models=true",
            "--monitoring_config_file={dir}/monitoring.txt",
        ],
        "files": {"monitoring.txt": "prometheus_config { enable: true }"},
    }
)


@dataclass
class Context:
    """The server and the counter of one soak."""

    subject: ServerUnderTest
    counter: CallCounter = field(default_factory=CallCounter)
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the actors must stop."""
    unused_versions: Iterator[int] = field(default_factory=lambda: itertools.count(2))
    """Version numbers of `broken` that have not been used."""

    def versions(self, model: str) -> list[str]:
        """Returns the version directories of a model, the lowest number first."""
        base = self.subject.folder.path / "models" / model
        return sorted((path.name for path in base.iterdir()), key=int)

    def http(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        """Sends an HTTP request on a new connection; returns status and body."""
        address = "127.0.0.1", self.subject.ports["rest"]
        connection = http.client.HTTPConnection(*address, timeout=TIMEOUT)
        try:
            connection.request(method, path, body)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def stubs(self) -> Stubs:
        """Opens a new channel to the server."""
        return Stubs(f"127.0.0.1:{self.subject.ports['grpc']}")

    def model_config_list(self, *, added: bool) -> model_server_config_pb2.ModelConfigList:
        """Returns the model list for a reload, with or without the model `added`."""
        text = self.subject.folder.expand_paths(CONFIG + (ADDED if added else ""))
        return text_format.Parse(text, model_server_config_pb2.ModelConfigList())


class Stubs:
    """A channel with the stubs of both services."""

    def __init__(self, target: str) -> None:
        self.channel = grpc.insecure_channel(target, UNLIMITED)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()


_numbers = itertools.count(10)


def sums(count: int) -> tuple[list[str], list[bytes]]:
    """Returns questions and correct answers, different ones each time."""
    first = next(_numbers) % 1000
    return (
        [f"{first}+{number}" for number in range(count)],
        [str(first + number).encode() for number in range(count)],
    )


def predict_request(
    model: str,
    values: Any,
    dtype: Any = tf.string,
    *,
    input_name: str = "questions",
    signature: str = "",
    label: str = "",
) -> predict_pb2.PredictRequest:
    """Returns a PredictRequest with one input."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if label:
        request.model_spec.version_label = label
    request.inputs[input_name].CopyFrom(tf.make_tensor_proto(values, dtype))
    return request


def slow_request(steps: int) -> predict_pb2.PredictRequest:
    """Returns a request that takes time in proportion to `steps`."""
    return predict_request("steady", [steps], tf.int32, input_name="steps", signature="slow")


def blob_request(size: int) -> predict_pb2.PredictRequest:
    """Returns a request of this many bytes, whose reply is as large."""
    return predict_request("steady", [b"x" * size], input_name="blob", signature="blob")
