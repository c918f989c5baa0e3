"""Traffic weights as shares: in a line, and as bars."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seq2sum_serving.console.text import said
from seq2sum_serving.deployment.state import CANARY, STABLE

NONE = "no weights are set: callers choose"
COLOURS = {STABLE: "green", CANARY: "yellow"}
REST = "cyan"
"""The colour of other sides."""
WIDEST = 40
"""Characters of a full bar; wider ones are no easier to compare."""


def shares(weights: Mapping[str, float]) -> dict[str, float]:
    """The part of all calls that each side gets, 0 to 1; empty if no side has any weight.

    A weight that is none, from a file edited by hand, counts as 0.
    """
    sound = {
        side: weight if math.isfinite(weight) and weight > 0 else 0.0
        for side, weight in weights.items()
    }
    total = sum(sound.values())
    return {side: weight / total for side, weight in sound.items()} if total else {}


def line(weights: Mapping[str, float], labels: Mapping[str, int]) -> Text:
    """`stable 95 % (version 2), canary 5 % (version 3)`."""
    return said(
        ", ".join(
            f"{side} {_percent(share)}" + (f" (version {labels[side]})" if side in labels else "")
            for side, share in shares(weights).items()
        )
        or NONE
    )


def bars(weights: Mapping[str, float], labels: Mapping[str, int]) -> RenderableType:
    """A bar for each side."""
    found = shares(weights)
    if not found:
        return said(NONE)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(max_width=WIDEST)
    for side, share in found.items():
        table.add_row(
            said(side),
            _percent(share),
            f"version {labels[side]}" if side in labels else "",
            bar(share, COLOURS.get(side, REST)),
        )
    return table


def bar(share: float, colour: str) -> ProgressBar:
    """A bar of a share of its width. Without colours only the share is drawn."""
    return ProgressBar(
        total=1.0,
        completed=share,
        style="bright_black",
        complete_style=colour,
        finished_style=colour,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
