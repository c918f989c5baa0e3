"""Servables: the model and the version or label that a call goes to."""

from __future__ import annotations

from dataclasses import dataclass

from seq2sum import model_versions
from seq2sum._numbers import integer
from seq2sum.protocol import predict_pb2


@dataclass(frozen=True, slots=True)
class Servable:
    """A model, and at most one of a version and a label; neither means the latest version.

    Raises:
        ValueError: Both are given, the version does not fit 64 bits, or a name is empty or cannot
            be encoded.
        TypeError: The version is not an integer, or a name is not text.
    """

    model: str
    """The name under which the server serves it."""
    version: int | None = None
    """A version number; 0 is valid."""
    label: str | None = None
    """A version label of the server's model config file, like `canary`."""

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not isinstance(self.label, str | None):
            raise TypeError(f"model and label must be text, not {self.model!r} and {self.label!r}")
        if not self.model or self.label == "":
            kind = "label" if self.model else "model"
            raise ValueError(f"invalid {kind} '': expected a name")
        for name in (self.model, self.label or ""):
            if not name.isascii() and not _is_encodable(name):
                raise ValueError(f"invalid name {name!r}: it cannot be encoded as UTF-8")
        if self.version is None:
            return
        if self.label is not None:
            raise ValueError(f"version {self.version} and label {self.label!r}: give one of them")
        largest = model_versions.LARGEST_VERSION
        if type(self.version) is not int or abs(self.version) > largest:
            plain = integer("version", self.version, least=-largest, most=largest)
            object.__setattr__(self, "version", plain)

    def __str__(self) -> str:
        """The servable in error messages."""
        if self.label is not None:
            return f"model {self.model}, label {self.label}"
        which = "latest version" if self.version is None else f"version {self.version}"
        return f"model {self.model}, {which}"

    def spec(self) -> predict_pb2.ModelSpec:
        """Returns the ModelSpec; without a version, servers choose the latest that is available."""
        spec = predict_pb2.ModelSpec()
        self.fill(spec)
        return spec

    def fill(self, spec: predict_pb2.ModelSpec) -> None:
        """Fills an empty ModelSpec with the name, and the version or label, of this servable."""
        spec.name = self.model
        if self.version is not None:  # not falsy: 0 is a version
            spec.version.value = self.version
        elif self.label is not None:
            spec.version_label = self.label


def _is_encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
