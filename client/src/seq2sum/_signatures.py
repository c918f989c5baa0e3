"""The signatures that a client knows: by them, inputs are converted before a call."""

from __future__ import annotations

from time import monotonic

from seq2sum._servable import Servable
from seq2sum._versions import ModelMetadata

CacheKey = tuple[str | None, Servable]
"""The target of a split, if one was chosen, and a servable."""
MAX_ENTRIES = 64
"""Entries in the cache; a program calls a few labels and versions, or one after the other."""
CONFIRMED_SECONDS = 1.0
"""Seconds for which signatures that a server has just confirmed are not fetched again. Otherwise,
each invalid input would cost an RPC."""


class SignatureCache:
    """The signatures of the version that answered last, for each version or label that is called.

    Safe to use from several threads: entries are replaced, not changed.
    """

    def __init__(self) -> None:
        self._by_key: dict[CacheKey, ModelMetadata] = {}
        self._by_version: dict[tuple[str | None, int], ModelMetadata] = {}
        self._confirmed_at: dict[CacheKey, float] = {}

    def get(self, key: CacheKey) -> ModelMetadata | None:
        """Returns the signatures for this key; None if they must be fetched."""
        return self._by_key.get(key)

    def other_than(
        self, key: CacheKey, stale: ModelMetadata | None, *, may_be_input: bool = True
    ) -> ModelMetadata | None:
        """Returns the signatures that apply, now that a call by `stale` has failed.

        Args:
            key: The target of the call.
            stale: Its signatures.
            may_be_input: Whether the inputs may be the reason: callers may have many bad ones.

        Returns:
            Other signatures if they are known, for example because another thread has just fetched
            them; `stale` if a server has just confirmed it; None if they must be fetched.
        """
        known = self._by_key.get(key)
        if known is not None and known == stale:
            confirmed_at = self._confirmed_at.get(key)
            confirmed = confirmed_at is not None and monotonic() < confirmed_at + CONFIRMED_SECONDS
            return known if confirmed and may_be_input else None
        return known

    def put(self, key: CacheKey, metadata: ModelMetadata) -> None:
        """Notes the signatures that a server reported for this key."""
        if self._by_key.get(key) == metadata:
            self._confirmed_at[key] = monotonic()
            return
        self._confirmed_at.pop(key, None)
        if len(self._by_key) >= MAX_ENTRIES:
            self._by_key.clear()
            self._confirmed_at.clear()
        if len(self._by_version) >= MAX_ENTRIES:
            self._by_version.clear()
        self._by_key[key] = metadata
        self._by_version[key[0], metadata.version] = metadata

    def answered(self, key: CacheKey, version: int) -> None:
        """Notes the version that answered a call with this key.

        If it is another one than before, its signatures apply from now on. Behind a load balancer
        versions may alternate, so those of all versions are kept.
        """
        known = self._by_key.get(key)
        if known is None or known.version == version:
            return
        found = self._by_version.get((key[0], version))
        if found is None:
            self._by_key.pop(key, None)
        else:
            self._by_key[key] = found
