"""Results of golden requests as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from seq2sum.golden import GoldenResult

from seq2sum_serving.console.text import literal, marked_list
from seq2sum_serving.deployment.plain_text import inputs_text, one_line
from seq2sum_serving.gates.golden_gate import text

MAX_SHOWN = 20
"""Requests that are shown for each replica."""

Results = Mapping[str, Sequence[GoldenResult] | str]
"""By address of the replica: in the order of the requests, or why it did not answer."""


def all_passed(results: Results) -> bool:
    """Returns whether every replica answered every request as expected."""
    return all(
        not isinstance(found, str) and all(result.passed for result in found)
        for found in results.values()
    )


def report(results: Results, *, version: int, file: Path) -> RenderableType:
    """Returns the count of each replica, and the requests that were not answered as expected."""
    parts: list[RenderableType] = [literal(f"golden requests: {file}")]
    for target, found in results.items():
        if isinstance(found, str):
            parts.append(literal(found))
            continue
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
        "replicas": {target: _of_replica(found) for target, found in results.items()},
    }


def _of_replica(found: Sequence[GoldenResult] | str) -> dict[str, Any]:
    if isinstance(found, str):
        return {"requests": 0, "passed": 0, "failed": [], "error": found}
    failed = [_failed(n, each) for n, each in enumerate(found, start=1) if not each.passed]
    return {
        "requests": len(found),
        "passed": len(found) - len(failed),
        "failed": failed,
        "error": "",
    }


def _failed(number: int, result: GoldenResult) -> dict[str, Any]:
    return {
        "request": number,
        "inputs": inputs_text(result.request.inputs),
        "differences": [one_line(each) for each in result.differences],
        "error": one_line(result.error),
    }
