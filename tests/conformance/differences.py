"""Where the embedded server differs on purpose: the list of `differences.toml`.

A difference is as much of a promise as a recorded answer: a case in the list must differ in just
the steps and the way that the list says, or its test fails.
"""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from typing import Any

from conformance.case import HERE

LIST = HERE / "differences.toml"

Instead = dict[str, dict[str, Any]]
"""Place of a step, such as "0" or "0.1.2" (step, branch, step), to the fields seen there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One, with its reason."""

    name: str
    real: str
    """What the real server does."""
    here: str
    because: str
    cases: dict[str, Instead]
    """Cases that differ for this reason; none where it takes more than one server to see it."""


@functools.cache
def listed() -> tuple[Difference, ...]:
    return tuple(
        Difference(row["name"], row["real"], row["here"], row["because"], row.get("cases", {}))
        for row in tomllib.loads(LIST.read_text())["difference"]
    )


def of_case(case: str) -> list[str]:
    """Names of the differences that list a case."""
    return [difference.name for difference in listed() if case in difference.cases]


def instead(case: str) -> Instead:
    """What is seen in a case instead of what was recorded, by place; empty: nothing."""
    found: Instead = {}
    for difference in listed():
        found |= difference.cases.get(case, {})
    return found
