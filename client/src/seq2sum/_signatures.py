"""The signatures that a client knows: by them, inputs are converted before a call."""

from __future__ import annotations

from seq2sum._servable import Servable
from seq2sum._versions import ModelMetadata

Choice = tuple[str | None, Servable]
"""The target of a split, if one was chosen, and a servable."""
MAX_CHOICES = 64
"""Choices in the cache; a program calls a few labels and versions, or one after the other."""


class SignatureCache:
    """The signatures of the version that answered last, for each choice of a version or label.

    Safe to use from several threads: entries are replaced, not changed.
    """

    def __init__(self) -> None:
        self._by_choice: dict[Choice, ModelMetadata] = {}
        self._by_version: dict[tuple[str | None, int], ModelMetadata] = {}

    def get(self, choice: Choice) -> ModelMetadata | None:
        """Returns the signatures for this choice; None if they must be fetched."""
        return self._by_choice.get(choice)

    def put(self, choice: Choice, metadata: ModelMetadata) -> None:
        """Notes the signatures that a server reported for this choice."""
        if len(self._by_choice) >= MAX_CHOICES:
            self._by_choice.clear()
        if len(self._by_version) >= MAX_CHOICES:
            self._by_version.clear()
        self._by_choice[choice] = metadata
        self._by_version[choice[0], metadata.version] = metadata

    def answered(self, choice: Choice, version: int) -> None:
        """Notes the version that answered a call with this choice.

        If it is another one than before, its signatures apply from now on. Behind a load balancer
        versions may alternate, so those of all versions are kept.
        """
        known = self._by_choice.get(choice)
        if known is None or known.version == version:
            return
        found = self._by_version.get((choice[0], version))
        if found is None:
            self._by_choice.pop(choice, None)
        else:
            self._by_choice[choice] = found
