"""What callers get back: answers and the states of model versions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from seq2sum._errors import InvalidQuestion


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model version says about one question."""

    question: str | bytes
    """The question as it was asked."""
    text: str
    """The network's answer in decimal; empty if there is an `error`."""
    confidence: float
    """The probability that the network gives to this whole answer, 0 to 1."""
    version: int
    """The model version that answered."""
    error: InvalidQuestion | None = None
    """Why there is no answer, or None."""

    @property
    def value(self) -> int | None:
        """The answer as a number; None if there is none or the network wrote no number."""
        return int(self.text) if self.text.isdecimal() else None

    def __repr__(self) -> str:
        """The fields that matter to a reader."""
        end = f", error={self.error}" if self.error else ""
        return (
            f"Answer(question={self.question!r}, text={self.text!r}, value={self.value}, "
            f"confidence={self.confidence:.4f}, version={self.version}{end})"
        )


class State(IntEnum):
    """A version's life on one server, in TensorFlow Serving's words and numbers."""

    UNKNOWN = 0
    """Not reported."""
    START = 10
    """Known, not yet loading."""
    LOADING = 20
    """Being loaded and warmed up."""
    AVAILABLE = 30
    """Answers questions."""
    UNLOADING = 40
    """Finishes the calls in flight; takes no new ones."""
    END = 50
    """Gone: unloaded, or failed to load (then there is an error)."""


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """One version of the model on one server."""

    version: int
    """The version's number."""
    state: State
    """Where it is in its life."""
    error: str = ""
    """Why it could not be loaded; empty if nothing went wrong."""
