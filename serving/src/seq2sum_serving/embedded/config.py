"""What a server is told, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tensorflow_serving.config import model_server_config_pb2

from seq2sum_serving.configuration.batching_pb2 import BatchingParameters
from seq2sum_serving.configuration.monitoring_pb2 import MonitoringConfig
from seq2sum_serving.configuration.ssl_pb2 import SSLConfig
from seq2sum_serving.embedded.inference.options import InferenceOptions

ChannelArgument = tuple[str, int | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreOptions:
    """What a core is told about models, their versions and their labels."""

    allow_unavailable_labels: bool = False
    """Whether a new label may point to a version that is not AVAILABLE."""
    poll_seconds: int = 1
    """Pause between two looks at the base paths; 0: look once; negative: never."""
    load_threads: int = 0
    """0: the manager loads."""
    unload_threads: int = 0
    """0: the manager unloads."""
    load_retries: int = 5
    """Further attempts to load a version that failed."""
    retry_seconds: float = 60.0
    """Pause before each of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """One server. Unless said otherwise a field is the flag of nearly its name."""

    models: model_server_config_pb2.ModelServerConfig
    """The models at the start."""
    model_config_file: str = ""
    """Where they come from; empty: from flags."""
    model_config_file_poll_seconds: int = 0
    """Pause between two reads of it; 0: it is read once."""
    core: CoreOptions = field(default_factory=CoreOptions)
    """How they are kept."""
    tags: tuple[str, ...] = ("serve",)
    """Of the graph in a SavedModel."""

    host: str = "127.0.0.1"
    """Address of all ports."""
    port: int = 8500
    """gRPC port; 0: none."""
    socket_path: str = ""
    """UNIX socket for gRPC; empty: none."""
    grpc_max_threads: int = 8
    """Threads for calls, the one that waits for the next call among them."""
    processes: int = 1
    """Processes that answer gRPC on the port."""
    channel_arguments: tuple[ChannelArgument, ...] = ()
    """gRPC's own options."""
    ssl: SSLConfig | None = None
    """TLS for gRPC."""
    health: bool = False
    """Whether grpc.health.v1.Health is there."""
    grace_seconds: float = 30.0
    """How long calls may go on after SIGTERM."""

    rest_port: int = 0
    """REST and metrics; 0: none."""
    rest_threads: int = 8
    """One of them only accepts."""
    rest_timeout_seconds: float | None = 30.0
    """For a graph to run; None: no limit."""
    rest_cors: bool = False
    """Whether CORS headers are sent."""
    monitoring: MonitoringConfig | None = None
    """What of the metrics is shown."""
    monitoring_broken: str = ""
    """Why there is no REST, as there: the error of the monitoring file."""

    batching: BatchingParameters | None = None
    """None: requests are not merged."""
    per_model_batching: bool = False
    """Whether versions have batching parameters of their own."""
    session_config: Any = None
    """ConfigProto of every session; None: TensorFlow's defaults."""
    warmup: bool = True
    """Whether records are replayed before a version is AVAILABLE."""
    warmup_iterations: int = 0
    """How often each; 0: once."""
    inference: InferenceOptions = field(default_factory=InferenceOptions)
    """What flags change about requests."""
