"""The interface of a loaded version, with or without batching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Arrays = Sequence[Any]
"""A numpy array for each tensor; strings are bytes in object arrays."""


class Servable(Protocol):
    """A loaded version. Safe to use from any thread."""

    @property
    def signatures(self) -> Mapping[str, Any]:
        """SignatureDef messages by signature name."""
        ...

    def run(
        self, feeds: Mapping[str, Any], fetches: Sequence[str], *, timeout: float | None = None
    ) -> Arrays:
        """Runs the graph.

        Args:
            feeds: Arrays by tensor name.
            fetches: Names of the tensors to return.
            timeout: Seconds; None, zero and negative numbers mean no limit, as in TensorFlow.

        Raises:
            ServingError: TensorFlow's error.
        """
        ...

    def close(self) -> None:
        """Frees all resources. No run may be in progress or follow."""
        ...
