"""Traffic weights as shares: in one line, and as bars."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Column
from rich.text import Text

from seq2sum_serving.console.text import grid, literal
from seq2sum_serving.deployment.state import CANARY, STABLE

NO_WEIGHTS = "no weights are set: clients choose"
COLORS = {STABLE: "green", CANARY: "yellow"}
OTHER_COLOR = "cyan"
MAX_BAR_WIDTH = 40
"""Characters of a full bar; wider ones are not easier to compare."""


def shares(weights: Mapping[str, float]) -> dict[str, float]:
    """Returns the share of the traffic of each label, 0 to 1; empty if no weight is positive.

    An invalid weight, from a file edited by hand, counts as 0.
    """
    valid = {
        label: weight if math.isfinite(weight) and weight > 0 else 0.0
        for label, weight in weights.items()
    }
    total = sum(valid.values())
    return {label: weight / total for label, weight in valid.items()} if total else {}


def line(weights: Mapping[str, float], labels: Mapping[str, int]) -> Text:
    """Returns the shares in one line: `stable 95 % (version 2), canary 5 % (version 3)`."""
    return literal(
        ", ".join(
            f"{label} {_percent(share)}"
            + (f" (version {labels[label]})" if label in labels else "")
            for label, share in shares(weights).items()
        )
        or NO_WEIGHTS
    )


def bars(weights: Mapping[str, float], labels: Mapping[str, int]) -> RenderableType:
    """Returns a bar for each label."""
    found = shares(weights)
    if not found:
        return literal(NO_WEIGHTS)
    table = grid(
        Column(no_wrap=True),
        Column(justify="right", no_wrap=True),
        Column(no_wrap=True),
        Column(max_width=MAX_BAR_WIDTH),
    )
    for label, share in found.items():
        table.add_row(
            literal(label),
            _percent(share),
            f"version {labels[label]}" if label in labels else "",
            bar(share, COLORS.get(label, OTHER_COLOR)),
        )
    return table


def bar(share: float, color: str) -> ProgressBar:
    """Returns a bar filled up to a share; without colors, only the filled part is drawn."""
    return ProgressBar(
        total=1.0,
        completed=share,
        style="bright_black",
        complete_style=color,
        finished_style=color,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
