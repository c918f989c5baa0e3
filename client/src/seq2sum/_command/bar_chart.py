"""An explanation as a bar chart: the probable characters at each position of the answer."""

from __future__ import annotations

from collections.abc import Iterator

from seq2sum._command.errors import one_line, question_text
from seq2sum._command.terminal import BLANK, DIM, EIGHTHS, GREEN, RED, YELLOW, Terminal
from seq2sum.addition.explanation import Explanation, Position

MAX_BAR_WIDTH = 60
"""Most characters of a bar; wider bars are not easier to compare."""
MIN_PROBABILITY = 0.00005
"""Alternatives below this are left out: they would read 0.0000."""
LIKELY, POSSIBLE = 0.9, 0.5
"""Lowest probabilities at which the most probable character is green or yellow."""


def bar_chart(explanation: Explanation, terminal: Terminal, *, most: int) -> str:
    """Returns the whole chart, with newlines.

    Args:
        explanation: The explanation to show.
        terminal: The terminal on which it is shown.
        most: Most characters per position.
    """
    blank = BLANK if terminal.blocks else "_"
    width = min(MAX_BAR_WIDTH, terminal.width - len("  1  9  0.9999  "))
    lines = [
        line
        for number, position in enumerate(explanation.positions, 1)
        for line in _position(number, position, terminal, blank=blank, width=width, most=most)
    ]
    head = (
        f"{question_text(explanation.question)} = {one_line(explanation.text)}  "
        f"(confidence {explanation.confidence:.4f}, version {explanation.version})"
    )
    legend = [f"  {blank} is a blank"] if any(f" {blank} " in line for line in lines) else []
    return "\n".join([head, "", *lines, *legend]) + "\n"


def bar(share: float, width: int, *, blocks: bool) -> str:
    """Returns a bar of a share of the width; with `blocks`, in eighths of a character."""
    share = min(1.0, max(0.0, share))
    if not blocks:
        return "#" * round(share * width)
    whole, rest = divmod(round(share * width * 8), 8)
    return EIGHTHS[-1] * whole + (EIGHTHS[rest - 1] if rest else "")


def _position(
    number: int, position: Position, terminal: Terminal, *, blank: str, width: int, most: int
) -> Iterator[str]:
    for rank, (character, probability) in enumerate(position.alternatives[:most]):
        if rank and not probability >= MIN_PROBABILITY:
            return
        colour = DIM
        if not rank:
            colour = GREEN if probability >= LIKELY else YELLOW if probability >= POSSIBLE else RED
        blocks = bar(probability, width, blocks=terminal.blocks)
        lead = f"{number if not rank else '':>3}  {blank if character == ' ' else character} "
        yield f"{lead} {probability:.4f}  {terminal.painted(blocks, colour)}".rstrip()
