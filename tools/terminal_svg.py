"""Terminal output as SVG: a still, or an animation in which each line appears at its time.

The animation is CSS alone, so it plays in an `<img>`. Lines are never removed: when the screen is
full, all of them move up. A reader who prefers reduced motion sees the last screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

WIDTH, HEIGHT, PADDING = 8, 17, 12
"""Size of a character, and the margin, in pixels."""
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
PAPER, BORDER, INK, DIM = "#0d1117", "#3d444d", "#e6edf3", "#9198a1"
COLOURS = {1: "#ff7b72", 2: "#56d364", 3: "#e3b341", 4: "#79c0ff", 5: "#d2a8ff", 6: "#76e3ea"}
"""Red, green, yellow, blue, magenta and cyan, by the number of the escape sequence."""
CONSOLE = Console(color_system="standard", force_terminal=True)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line that appears at once."""

    at: float
    """Seconds."""
    row: int
    column: int
    text: Text


def still(lines: Sequence[Text], *, columns: int) -> str:
    """Returns a picture of some lines."""
    pieces = [Piece(0, row, 0, line) for row, line in enumerate(lines)]
    return _picture(_texts(pieces), "", columns=columns, rows=len(lines))


def animation(pieces: Sequence[Piece], *, columns: int, rows: int, seconds: float) -> str:
    """Returns an animation.

    Args:
        pieces: The parts that appear, in order.
        columns: Width of the screen.
        rows: Height of the screen.
        seconds: Duration, after which the animation restarts.
    """
    times = sorted({piece.at for piece in pieces})
    rules, groups = [], []
    for number, at in enumerate(times):
        percent = 100 * at / seconds
        rules.append(
            f"@keyframes k{number} {{0% {{opacity: 0}} {percent:.2f}%, 100% {{opacity: 1}}}}\n"
            f".k{number} {{animation: k{number} {seconds:g}s step-end infinite}}\n"
        )
        texts = _texts(piece for piece in pieces if piece.at == at)
        groups.append(f'<g class="k{number}">\n{texts}</g>\n')
    steps = _scrolling(pieces, rows)
    last = steps[-1][1]
    frames = "".join(f"{100 * at / seconds:.2f}% {{transform: {_up(n)}}} " for at, n in steps)
    rules.append(
        f"@keyframes up {{{frames}100% {{transform: {_up(last)}}}}}\n"
        f".up {{transform: {_up(last)}; animation: up {seconds:g}s step-end infinite}}\n"
        "@media (prefers-reduced-motion: reduce) {* {animation: none !important}}\n"
    )
    content = f'<g class="up">\n{"".join(groups)}</g>\n'
    return _picture(content, "".join(rules), columns=columns, rows=rows)


def _scrolling(pieces: Iterable[Piece], rows: int) -> list[tuple[float, int]]:
    """Returns the times at which the screen moves up, and by how many rows in total."""
    steps = [(0.0, 0)]
    for piece in pieces:
        hidden = piece.row + 1 - rows
        if hidden > steps[-1][1]:
            steps.append((piece.at, hidden))
    return steps


def _up(rows: int) -> str:
    return f"translateY({-rows * HEIGHT}px)"


def _texts(pieces: Iterable[Piece]) -> str:
    """Returns text elements, each as wide as its characters on a terminal, in any font."""
    found = []
    for piece in pieces:
        column = piece.column
        for segment in piece.text.render(CONSOLE):
            text = segment.text.rstrip("\n")
            if text.strip():
                found.append(_element(Segment(text, segment.style), piece.row, column))
            column += len(text)
    return "".join(found)


def _element(segment: Segment, row: int, column: int) -> str:
    text = segment.text.rstrip()
    left = len(text) - len(text.lstrip())
    text = text.lstrip()
    x, y = (column + left) * WIDTH, row * HEIGHT + 13
    style = f' class="{_style(segment.style)}"' if _style(segment.style) else ""
    return f'<text x="{x}" y="{y}" textLength="{len(text) * WIDTH}"{style}>{escape(text)}</text>\n'


def _style(style: Style | None) -> str:
    """Returns the CSS classes of a style."""
    if style is None:
        return ""
    number = (style.color.number or 0) % 8 if style.color else None
    classes = [
        f"c{number}" if number in COLOURS else "",
        "dim" if style.dim or number == 0 else "",
        "bold" if style.bold else "",
    ]
    return " ".join(filter(None, classes))


def _picture(content: str, rules: str, *, columns: int, rows: int) -> str:
    inner = columns * WIDTH, rows * HEIGHT
    width, height = (size + 2 * PADDING for size in inner)
    colours = "".join(f".c{number} {{fill: {colour}}}\n" for number, colour in COLOURS.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">\n<style>\n'
        f"text {{font: 13px {FONTS}; fill: {INK}; white-space: pre}}\n"
        f"{colours}.dim {{fill: {DIM}}}\n.bold {{font-weight: bold}}\n{rules}</style>\n"
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" fill="{PAPER}" '
        f'stroke="{BORDER}"/>\n'
        f'<svg x="{PADDING}" y="{PADDING}" width="{inner[0]}" height="{inner[1]}">\n'
        f"{content}</svg>\n</svg>\n"
    )
