"""Intended differences of the embedded server, read from `differences.toml`.

A listed case must differ in exactly the listed steps and fields, or its test fails.
"""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from typing import Any

from conformance.case import HERE

FILE = HERE / "differences.toml"

Overrides = dict[str, dict[str, Any]]
"""Path of a step, such as "0" or "0.1.2" (step, branch, step), to the fields expected there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One intended difference."""

    name: str
    real: str
    """Behaviour of tensorflow_model_server."""
    embedded: str
    """Behaviour of the embedded server."""
    reason: str
    cases: dict[str, Overrides]
    """Cases that show it; empty if no single server and case can show it."""


@functools.cache
def all_differences() -> tuple[Difference, ...]:
    rows = tomllib.loads(FILE.read_text())["difference"]
    for row in rows:
        row["cases"] = {case: by_step(steps) for case, steps in row.get("cases", {}).items()}
    return tuple(Difference(**row) for row in rows)


def by_step(listed: Overrides) -> Overrides:
    """Gives each step its own entry: the file lists steps with equal fields together."""
    return {path: fields for paths, fields in listed.items() for path in paths.split()}


def names_for_case(case: str) -> list[str]:
    """Returns the names of the differences that list a case."""
    return [difference.name for difference in all_differences() if case in difference.cases]


def overrides(case: str) -> Overrides:
    """Returns the fields that replace recorded ones in a case; empty for most cases."""
    merged: Overrides = {}
    for difference in all_differences():
        merged |= difference.cases.get(case, {})
    return merged
