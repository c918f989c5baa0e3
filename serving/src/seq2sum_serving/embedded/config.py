"""The configuration of a server, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tensorflow_serving.config import model_server_config_pb2

from seq2sum_serving.configuration.batching_pb2 import BatchingParameters
from seq2sum_serving.configuration.monitoring_pb2 import MonitoringConfig
from seq2sum_serving.configuration.ssl_pb2 import SSLConfig
from seq2sum_serving.embedded.inference.options import InferenceOptions

ChannelArgument = tuple[str, int | str]
GRPC_FRONTS = ("auto", "native", "grpcio")
"""Values of `--grpc_front`; `auto` is native if it can do what the flags ask for, else grpcio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreOptions:
    """Options for models, their versions and their labels."""

    allow_unavailable_labels: bool = False
    """Whether a new label may point to a version that is not AVAILABLE."""
    poll_seconds: int = 1
    """Interval between polls of the base paths; 0: poll once; negative: never."""
    load_threads: int = 0
    """0: the manager's thread loads."""
    unload_threads: int = 0
    """0: the manager's thread unloads."""
    load_retries: int = 5
    """Attempts to load a version after the first one failed."""
    retry_seconds: float = 60.0
    """Pause before each of these attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """The configuration of one server; most fields hold the flag of a similar name."""

    models: model_server_config_pb2.ModelServerConfig
    """The models to load at startup."""
    model_config_file: str = ""
    """The file that lists the models; empty: they come from flags."""
    model_config_file_poll_seconds: int = 0
    """Interval between reads of this file; 0: read once."""
    core: CoreOptions = field(default_factory=CoreOptions)
    """Options for models and versions."""
    tags: tuple[str, ...] = ("serve",)
    """Tags of the graph in a SavedModel."""

    host: str = "127.0.0.1"
    """Address of all ports."""
    port: int = 8500
    """gRPC port; 0: no port."""
    socket_path: str = ""
    """UNIX socket for gRPC; empty: no socket."""
    grpc_max_threads: int = 8
    """Threads for calls; one of them waits for the next call."""
    grpc_front: str = "auto"
    """One of GRPC_FRONTS."""
    channel_arguments: tuple[ChannelArgument, ...] = ()
    """Channel arguments for gRPC."""
    ssl: SSLConfig | None = None
    """TLS for gRPC."""
    health: bool = False
    """Whether grpc.health.v1.Health is served."""
    grace_seconds: float = 30.0
    """Time that running calls may take after SIGTERM."""

    rest_port: int = 0
    """Port of REST and metrics; 0: no port."""
    rest_threads: int = 8
    """Threads of REST; one of them only accepts connections."""
    rest_timeout_seconds: float | None = 30.0
    """Limit on the run of a graph; None: no limit."""
    rest_cors: bool = False
    """Whether CORS headers are sent."""
    monitoring: MonitoringConfig | None = None
    """Which metrics are exported; None: none."""
    monitoring_error: str = ""
    """Error in the monitoring file, which keeps the REST port closed; empty: no error."""

    batching: BatchingParameters | None = None
    """Parameters of batching; None: no batching."""
    per_model_batching: bool = False
    """Whether each version has its own batching parameters."""
    session_config: Any = None
    """ConfigProto of every session; None: TensorFlow's defaults."""
    warmup: bool = True
    """Whether warm-up records are replayed before a version is AVAILABLE."""
    warmup_iterations: int = 0
    """How often each record is replayed; 0: once."""
    inference: InferenceOptions = field(default_factory=InferenceOptions)
    """Options for requests."""
