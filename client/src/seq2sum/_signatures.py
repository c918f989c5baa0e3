"""The signatures that a client knows: by them, inputs are converted before a call."""

from __future__ import annotations

from seq2sum._servable import Servable
from seq2sum._versions import ModelMetadata

MAX_CHOICES = 64
"""Servables in the cache; a program calls a few labels and versions, or one after the other."""


class SignatureCache:
    """The signatures of the version that answered last, for each choice of a version or label.

    Safe to use from several threads: entries are replaced, not changed.
    """

    def __init__(self) -> None:
        self._by_choice: dict[Servable, ModelMetadata] = {}
        self._by_version: dict[int, ModelMetadata] = {}

    def get(self, servable: Servable) -> ModelMetadata | None:
        """Returns the signatures for this choice; None if they must be fetched."""
        return self._by_choice.get(servable)

    def put(self, servable: Servable, metadata: ModelMetadata) -> None:
        """Notes the signatures that a server reported for this choice."""
        for entries in (self._by_choice, self._by_version):
            if len(entries) >= MAX_CHOICES:
                entries.clear()
        self._by_choice[servable] = self._by_version[metadata.version] = metadata

    def answered(self, servable: Servable, version: int) -> None:
        """Notes the version that answered a call with this choice.

        If it is another one than before, its signatures apply from now on. Behind a load balancer
        versions may alternate, so those of all versions are kept.
        """
        known = self._by_choice.get(servable)
        if known is None or known.version == version:
            return
        if version in self._by_version:
            self._by_choice[servable] = self._by_version[version]
        else:
            self._by_choice.pop(servable, None)
