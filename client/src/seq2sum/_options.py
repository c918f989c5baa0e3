"""Per-call options, and the servable, headers and address that they resolve to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

from seq2sum._metadata import Header
from seq2sum._servable import Servable
from seq2sum._signatures import CacheKey


class CallOptions(TypedDict, total=False):
    """Per-call options that override the client's defaults."""

    version: int | None
    """The model version to call. Without a version and a label: the one that the client's label or
    split names, or else the latest one that is available."""
    label: str | None
    """The version label to call, like `canary`. Excludes `version`."""
    key: str | bytes | None
    """Routing key: a split sends the same key to the same version or target each time."""
    timeout: float | None
    """Seconds; None for no limit. Left out: the client's default."""
    metadata: Sequence[Header]
    """Headers of this call alone."""


class CallTarget(NamedTuple):
    """The servable, headers and address of a call. Calls to one target may be merged."""

    servable: Servable
    metadata: tuple[Header, ...] = ()
    address: str | None = None
    """The target that a split has chosen; None for that of the client."""

    @property
    def cache_key(self) -> CacheKey:
        """The address and the servable."""
        return self.address, self.servable
