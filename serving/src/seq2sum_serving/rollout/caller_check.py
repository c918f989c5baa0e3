"""Judges which versions the callers of every server get: with the label `stable`, without, by REST.

Pure: `Replicas.caller_versions` makes the calls.
"""

from __future__ import annotations

from collections.abc import Mapping

from seq2sum_serving.deployment.caller_versions import CallerVersions, Found
from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.replicas import DOWN
from seq2sum_serving.deployment.state import STABLE


def lines(found: Mapping[str, CallerVersions]) -> list[str]:
    """Returns a line for each server: the versions that its callers get."""
    return [f"  {target}: {_text(versions)}" for target, versions in found.items()]


def check(
    found: Mapping[str, CallerVersions],
    stable: int,
    unlabelled: int,
    *,
    allow_down_replicas: bool = False,
) -> None:
    """Checks that callers of every server get the versions that they should.

    Args:
        found: By server, the versions that its callers get.
        stable: The version behind the label `stable`.
        unlabelled: The highest version in the model config file, which answers calls that name
            neither a version nor a label.
        allow_down_replicas: Ignore servers that do not answer.

    Raises:
        Failed: They get other versions, or none.
    """
    wrong = []
    for target, versions in found.items():
        if allow_down_replicas and str(versions.labelled).startswith(DOWN):
            continue
        if versions.labelled != stable:
            wrong.append(f"{target}, label {STABLE}: {versions.labelled}")
        for caller, version in (("no label", versions.unlabelled), ("REST", versions.rest)):
            if version not in (unlabelled, None):
                wrong.append(f"{target}, {caller}: {version}")
    if wrong:
        raise Failed(
            f"not every caller gets version {stable} ({'; '.join(wrong)}): see `status` for what "
            "each server serves"
        )


def _text(versions: CallerVersions) -> str:
    every = {"label stable": versions.labelled, "no label": versions.unlabelled}
    if versions.rest is not None:
        every["REST"] = versions.rest
    distinct = set(every.values())
    if len(distinct) == 1:
        *others, last = every
        return f"{', '.join(others)} and {last}: {_named(distinct.pop())}" + _no_rest(versions)
    return ", ".join(f"{way}: {_named(found)}" for way, found in every.items()) + _no_rest(versions)


def _named(found: Found) -> str:
    return f"version {found}" if isinstance(found, int) else found


def _no_rest(versions: CallerVersions) -> str:
    return f"; {versions.no_rest}" if versions.no_rest else ""
