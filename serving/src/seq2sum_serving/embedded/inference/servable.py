"""What serves: a version that is loaded, alone or behind a batching queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Arrays = Sequence[Any]
"""numpy arrays, one for each tensor; strings are bytes in object arrays."""


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
            fetches: Names of the tensors wanted.
            timeout: Seconds; None or none left mean no limit, as in TensorFlow.

        Raises:
            ServingError: What TensorFlow said.
        """
        ...

    def close(self) -> None:
        """Frees what it holds; nothing may run in it any more."""
        ...
