"""Shadow calls: what another version would have said, off the caller's path."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from seq2sum._errors import Seq2SumError
from seq2sum._numbers import LONGEST, real, seconds, whole
from seq2sum._servable import Servable
from seq2sum.addition.answers import Columns

log = logging.getLogger("seq2sum")

Seen = Callable[[Columns, Columns | Seq2SumError], None]
"""Told what the caller got, and what the shadow said or why it said nothing."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """Asks a second version what the first has answered already, and tells `seen` about both.

    Callers neither wait for it nor feel its failures; where too many shadow calls are under
    way, more are left out. `seen` runs on gRPC's thread (sync) or the event loop (async): it
    should be quick. What it raises is logged.

    Raises:
        ValueError: Not exactly one of label and version, or a number out of range.
    """

    seen: Seen
    """What to do with both."""
    label: str | None = None
    """The label to ask."""
    version: int | None = None
    """Or the version to ask."""
    share: float = 1.0
    """How many of the calls are repeated, 0 to 1, drawn at random."""
    in_flight: int = 2
    """Shadow calls under way at most."""
    timeout: float = 10.0
    """Seconds for a shadow call."""

    def __post_init__(self) -> None:
        if (self.label is None) is (self.version is None):
            raise ValueError("a shadow needs a label or a version, and not both")
        values = {
            "share": real("share", self.share, most=1, expected="a number from 0 to 1"),
            "in_flight": whole("in_flight", self.in_flight, least=1),
            "timeout": seconds("timeout", self.timeout, most=LONGEST),
            "version": self.servable("").version,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def servable(self, model: str) -> Servable:
        """What is asked."""
        return Servable(model, self.version, self.label)

    def drawn(self) -> bool:
        """Whether this call is one of the share."""
        return self.share >= 1 or random.random() < self.share

    def tell(self, primary: Columns, outcome: Columns | Seq2SumError) -> None:
        """Calls `seen`; its mistakes are its own."""
        try:
            self.seen(primary, outcome)
        except Exception:  # a caller's function may raise anything, and no call of ours fails by it
            log.exception("what `seen` of the shadow raised")
