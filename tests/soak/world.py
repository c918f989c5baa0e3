"""What the actors of a soak share: the server, its models, and how to talk to it."""

from __future__ import annotations

import http.client
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import tensorflow as tf
from conformance.case import ServerSpec
from conformance.subject import UNLIMITED, Subject
from google.protobuf import text_format
from soak.ledger import Ledger
from tensorflow_serving.apis import model_service_pb2_grpc, predict_pb2, prediction_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

SECONDS = 60
"""Deadline of a call that must not fail: far more than any swap takes."""

THREADS = 32
"""Of each front, for requests."""

MODELS = {
    "steady": {"1": "1", "2": "2"},
    "swapped": {"1": "1"},
    "broken": {"1": "1"},
    "added": {"3": "3"},
}
"""steady: always the same. swapped: its version changes all the time. broken: versions appear
that cannot be loaded. added: comes and goes by reload."""

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
            # Calls that were cancelled or dropped run to their end, as on the real server; they
            # shall not use up the threads of those that must not fail.
            f"--grpc_max_threads={THREADS}",
            f"--rest_api_num_threads={THREADS}",
            "--allow_version_labels_for_unavailable_models=true",
            "--monitoring_config_file={dir}/monitoring.txt",
        ],
        "files": {"monitoring.txt": "prometheus_config { enable: true }"},
    }
)


@dataclass
class World:
    """One soak's server and books."""

    subject: Subject
    ledger: Ledger = field(default_factory=Ledger)
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the actors shall end."""
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(2))
    """Versions of `broken` that were not there yet."""

    def versions(self, model: str) -> list[str]:
        """Directories of a model, lowest number first."""
        base = self.subject.folder.path / "models" / model
        return sorted((path.name for path in base.iterdir()), key=int)

    def rest(self, verb: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        """A call on a connection of its own."""
        where = "127.0.0.1", self.subject.ports["rest"]
        connection = http.client.HTTPConnection(*where, timeout=SECONDS)
        try:
            connection.request(verb, path, body)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def models(self, *, added: bool) -> model_server_config_pb2.ModelConfigList:
        """The list that a reload sends."""
        text = self.subject.folder.filled(CONFIG + (ADDED if added else ""))
        return text_format.Parse(text, model_server_config_pb2.ModelConfigList())


class Stubs:
    """A channel of its own, with both services on it."""

    def __init__(self, target: str) -> None:
        self.channel = grpc.insecure_channel(target, UNLIMITED)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def __enter__(self) -> Stubs:
        return self

    def __exit__(self, *_: Any) -> None:
        self.channel.close()


def stubs(world: World) -> Stubs:
    return Stubs(f"127.0.0.1:{world.subject.ports['grpc']}")


_numbers = itertools.count(10)


def sums(count: int) -> tuple[list[str], list[bytes]]:
    """Questions and right answers, other ones each time."""
    first = next(_numbers) % 1000
    return (
        [f"{first}+{number}" for number in range(count)],
        [str(first + number).encode() for number in range(count)],
    )


def predict_request(
    model: str, values: Any, dtype: Any = tf.string, *, alias: str = "questions", **spec: Any
) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = spec.get("signature", "")
    if "label" in spec:
        request.model_spec.version_label = spec["label"]
    request.inputs[alias].CopyFrom(tf.make_tensor_proto(values, dtype))
    return request
