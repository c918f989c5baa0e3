"""Shadow calls: copies of calls, sent to another version without delaying the caller."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seq2sum._numbers import LONGEST, integer, real, seconds
from seq2sum._servable import Servable

log = logging.getLogger("seq2sum")


@dataclass(frozen=True, slots=True)
class Shadow:
    """Repeats answered calls to a second version on the same target and reports both results.

    Callers neither wait for shadow calls nor see their failures; calls beyond `max_in_flight` are
    not repeated. `on_result` runs on a gRPC thread (sync) or on the event loop (async), so it
    should be quick. Exceptions that it raises are logged.

    Raises:
        ValueError: Not exactly one of label and version, or a number out of range.
    """

    on_result: Callable[[Any, Any], None]
    """Called with the caller's result, and with the shadow's result or its `Seq2SumError`. Results
    are `Columns` for addition, and `Prediction` for `predict`."""
    label: str | None = None
    """The label of the shadow version."""
    version: int | None = None
    """Or its number."""
    fraction: float = 1.0
    """The share of calls that is repeated, 0 to 1, sampled at random."""
    max_in_flight: int = 2
    """Most shadow calls in flight."""
    timeout: float = 10.0
    """Seconds for a shadow call."""

    def __post_init__(self) -> None:
        if (self.label is None) is (self.version is None):
            raise ValueError("a shadow needs a label or a version, and not both")
        values = {
            "fraction": real("fraction", self.fraction, most=1, expected="a number from 0 to 1"),
            "max_in_flight": integer("max_in_flight", self.max_in_flight, least=1),
            "timeout": seconds("timeout", self.timeout, most=LONGEST),
            "version": self.servable("any").version,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def servable(self, model: str) -> Servable:
        """Returns the servable that shadow calls go to."""
        return Servable(model, self.version, self.label)

    def sampled(self) -> bool:
        """Returns whether to repeat this call."""
        return self.fraction >= 1 or random.random() < self.fraction

    def report(self, primary: object, outcome: object) -> None:
        """Calls `on_result`."""
        try:
            self.on_result(primary, outcome)
        except Exception:  # it may raise anything, and must not fail a call
            log.exception("the shadow's on_result raised an exception")
