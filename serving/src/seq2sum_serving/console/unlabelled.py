"""The version that callers without a label reach: by server, and in one line."""

from __future__ import annotations

from rich.text import Text

from seq2sum_serving.console.text import literal
from seq2sum_serving.deployment.state import Current


def versions(current: Current) -> dict[str, int | None]:
    """Returns, by server that is up, the version that answers calls without a label."""
    return {replica.target: replica.unlabelled for replica in current.up}


def lines(current: Current) -> list[Text]:
    """Returns where calls without a label go, with a warning if that is not the stable version.

    No line if no server answers.
    """
    found = versions(current)
    distinct = set(found.values())
    if not found:
        return []
    where = (
        _named(distinct.pop())
        if len(distinct) == 1
        else ", ".join(f"{_named(version)} on {target}" for target, version in found.items())
    )
    text = f"unlabelled calls go to {where}"
    if current.stable is None or set(found.values()) == {current.stable}:
        return [literal(text)]
    return [literal(f"! {text}, and stable is version {current.stable}", "bold yellow")]


def _named(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
