"""Results of golden requests as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from seq2sum.golden import GoldenResult

from seq2sum_serving.console.text import literal, marked_list
from seq2sum_serving.deployment.plain_text import one_line
from seq2sum_serving.gates.golden import inputs_text, text

MAX_SHOWN = 20
"""Requests that are shown for each replica."""

Results = Mapping[str, Sequence[GoldenResult]]
"""In the order of the requests, by address of the replica."""


def report(results: Results, *, version: int, file: Path) -> RenderableType:
    """Returns the count of each replica, and the requests that were not answered as expected."""
    parts: list[RenderableType] = [literal(f"golden requests: {file}")]
    for target, found in results.items():
        wrong = [(number, each) for number, each in enumerate(found, start=1) if not each.passed]
        parts.append(
            literal(
                f"{target}: version {version} answered {len(found) - len(wrong):,} of "
                f"{len(found):,} as expected"
            )
        )
        shown = wrong[:MAX_SHOWN]
        numbers = [f"{number}." for number, _ in shown]
        sentences = [text(each) for _, each in shown]
        if len(wrong) > len(shown):
            numbers.append("")
            sentences.append(f"and {len(wrong) - len(shown):,} more")
        if numbers:
            parts.append(marked_list(sentences, numbers))
    return Group(*parts)


def as_json(results: Results, *, version: int, file: Path) -> dict[str, Any]:
    """Returns all results; `request` counts from 1."""
    return {
        "version": version,
        "file": str(file),
        "replicas": {
            target: {
                "requests": len(found),
                "passed": sum(each.passed for each in found),
                "failed": [
                    _failed(number, each)
                    for number, each in enumerate(found, start=1)
                    if not each.passed
                ],
            }
            for target, found in results.items()
        },
    }


def _failed(number: int, result: GoldenResult) -> dict[str, Any]:
    return {
        "request": number,
        "inputs": inputs_text(result.request),
        "differences": [one_line(each) for each in result.differences],
        "error": one_line(result.error),
    }
