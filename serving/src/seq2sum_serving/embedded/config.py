"""What a server is told to serve, as values, checked as TensorFlow Serving checks it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from seq2sum_serving.embedded.errors import Code, StartupError
from seq2sum_serving.embedded.versions import Latest

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8500
DEFAULT_POLL_SECONDS = 1
DEFAULT_MAX_THREADS_PER_CPU = 4
DEFAULT_LOAD_RETRIES = 0
DEFAULT_RETRY_MICROS = 60_000_000


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """One model: a name on the wire and a folder of versions."""

    name: str
    """Name that requests use."""
    base_path: str
    """Absolute path of the folder whose numeric children are versions."""
    policy: Latest = field(default_factory=Latest)
    """Which of the versions are aspired."""

    def check(self) -> None:
        """Raises StartupError for what TensorFlow Serving refuses too."""
        if not Path(self.base_path).is_absolute():
            raise StartupError(
                Code.INVALID_ARGUMENT,
                f"Expected model {self.name} to have an absolute path or URI; "
                f"got base_path()={self.base_path}",
            )


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One server."""

    models: tuple[ModelConfig, ...]
    """What it serves."""
    host: str
    """Address to listen on."""
    port: int
    """gRPC port."""
    load_retries: int
    """Further attempts to load a version that failed."""
    retry_seconds: float
    """Pause before each of them."""
    poll_seconds: int
    """Pause between two looks at the base paths; 0: look once; negative: never."""
    max_threads: int
    """Requests that run at once."""
    grace_seconds: float
    """How long requests in flight may take after SIGTERM."""
