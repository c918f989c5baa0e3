"""An explanation as bars: for each place of the answer what the network thought of."""

from __future__ import annotations

from collections.abc import Iterator

from seq2sum._command.complaints import one_line, shown
from seq2sum._command.terminal import BLANK, DIM, EIGHTHS, GREEN, RED, YELLOW, Terminal
from seq2sum.addition.explanation import Explanation, Position

WIDEST = 60
"""Characters of a full bar; wider ones are no easier to compare."""
LEAST = 0.00005
"""Alternatives below are not shown: they would read 0.0000."""
SURE, UNSURE = 0.9, 0.5
"""Probabilities at which the colour changes."""


def explained(explanation: Explanation, terminal: Terminal, *, most: int) -> str:
    """The whole picture, with its newlines.

    Args:
        explanation: What the network thought.
        terminal: Where it is shown.
        most: Characters shown for each place.
    """
    blank = BLANK if terminal.blocks else "_"
    width = min(WIDEST, terminal.width - len("  1  9  0.9999  "))
    drawn = [
        line
        for number, place in enumerate(explanation.positions, 1)
        for line in _place(number, place, terminal, blank=blank, width=width, most=most)
    ]
    head = (
        f"{shown(explanation.question)} = {one_line(explanation.text)}  "
        f"(confidence {explanation.confidence:.4f}, version {explanation.version})"
    )
    legend = [f"  {blank} is a blank"] if any(f" {blank} " in line for line in drawn) else []
    return "\n".join([head, "", *drawn, *legend]) + "\n"


def bar(share: float, width: int, *, blocks: bool) -> str:
    """A bar of a share of the width, in eighths of a character where the encoding has them."""
    share = min(1.0, max(0.0, share))
    if not blocks:
        return "#" * round(share * width)
    whole, rest = divmod(round(share * width * 8), 8)
    return EIGHTHS[-1] * whole + (EIGHTHS[rest - 1] if rest else "")


def _place(
    number: int, place: Position, terminal: Terminal, *, blank: str, width: int, most: int
) -> Iterator[str]:
    for rank, (character, probability) in enumerate(place.alternatives[:most]):
        if rank and not probability >= LEAST:
            return
        colour = DIM
        if not rank:
            colour = GREEN if probability >= SURE else YELLOW if probability >= UNSURE else RED
        drawn = bar(probability, width, blocks=terminal.blocks)
        lead = f"{number if not rank else '':>3}  {blank if character == ' ' else character} "
        yield f"{lead} {probability:.4f}  {terminal.painted(drawn, colour)}".rstrip()
