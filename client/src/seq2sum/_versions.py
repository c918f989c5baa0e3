"""Values that servers report about model versions: their states and their signatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class State(IntEnum):
    """The state of a version on one server, with TensorFlow Serving's names and numbers."""

    UNKNOWN = 0
    """Not reported."""
    START = 10
    """Known, not yet loading."""
    LOADING = 20
    """Being loaded and warmed up."""
    AVAILABLE = 30
    """Accepts calls."""
    UNLOADING = 40
    """Finishes the calls in flight and accepts no new ones."""
    END = 50
    """Unloaded, or failed to load (then `VersionStatus.error` is set)."""


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """The status of one version of the model on one server."""

    version: int
    """The version's number."""
    state: State
    """Its state."""
    error: str = ""
    """Why it could not be loaded; empty if nothing went wrong."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor of a signature, as a model version declares it."""

    dtype: str
    """TensorFlow's DataType name, like `DT_STRING`."""
    shape: tuple[int, ...] | None
    """Sizes, -1 for any; None if the rank is unknown."""


@dataclass(frozen=True, slots=True)
class SignatureSpec:
    """The inputs and outputs of one signature of a model version."""

    inputs: Mapping[str, TensorSpec]
    """By alias."""
    outputs: Mapping[str, TensorSpec]
    """By alias."""


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """The signatures of one model version."""

    version: int
    """The version's number."""
    signatures: Mapping[str, SignatureSpec]
    """By name."""
