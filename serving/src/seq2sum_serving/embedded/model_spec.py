"""The ModelSpec of a request, and the version that it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensorflow_serving.apis import model_pb2

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference.servable import Servable
from seq2sum_serving.embedded.lifecycle import serving_map
from seq2sum_serving.embedded.lifecycle.labels import Labels, version_of

Handle = serving_map.Handle[Servable]
"""A version that is held."""


def model_spec_of(request: Any) -> model_pb2.ModelSpec:
    """Returns the ModelSpec of a request.

    Raises:
        ServingError: INVALID_ARGUMENT: it has none.
    """
    if not request.HasField("model_spec"):
        raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
    return request.model_spec


class ModelSpecResolver:
    """Resolves ModelSpecs, by version or by label. Safe to use from any thread."""

    def __init__(self, handle: Callable[[str, int | None], Handle]) -> None:
        """Makes a resolver without labels.

        Args:
            handle: Returns a handle for a model's name and version, None for the latest version.
        """
        self._handle = handle
        self.labels: Labels | None = None
        """None until a configuration has set them."""

    def handle(self, spec: model_pb2.ModelSpec) -> Handle:
        """Holds the version that a ModelSpec names.

        Raises:
            ServingError: The spec or its label is invalid, or the version is not AVAILABLE; checked
                in the order of `ServerCore::ServableRequestFromModelSpec` (server_core.cc).
        """
        if not spec.name:
            raise ServingError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        version: int | None
        match spec.WhichOneof("version_choice"):
            case "version_label":
                version = version_of(self.labels, spec.name, spec.version_label)
            case "version":  # an empty message is version 0, not the latest version
                version = spec.version.value
            case _:
                version = None
        return self._handle(spec.name, version)
