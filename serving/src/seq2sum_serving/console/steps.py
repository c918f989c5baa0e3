"""What would be done, as a numbered list: for `--dry-run`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from seq2sum_serving.console.text import listed, said


def steps(sentences: Sequence[str]) -> RenderableType:
    """A number and a sentence for each step."""
    if not sentences:
        return said("nothing to do: it is so already")
    return listed(sentences, [f"{number}." for number in range(1, len(sentences) + 1)])
