"""The policy of the gates: every limit that a version is judged by, as a value.

The defaults are in `policy.toml` beside this file and nowhere else. An operator's file replaces
single keys of them; a key, a type or a number that makes no sense is an error that names its
place, so that a misspelt limit cannot quietly be none.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from seq2sum_serving.deployment.errors import UsageError

FILE_NAME = "policy.toml"
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Allowed:
    """The numbers that a key takes, both ends included."""

    low: float
    """The smallest."""
    high: float
    """The largest."""


Share = Annotated[float, Allowed(0, 1)]
Times = Annotated[float, Allowed(0.1, 1000)]
Seconds = Annotated[float, Allowed(0, 7 * DAY)]


@dataclass(frozen=True, slots=True)
class GoldenPolicy:
    """Of the gate `golden`: answers against true sums, now and when the version was exported."""

    floor: Share
    """Share of the questions that has to be answered right."""
    drop: Share
    """How much smaller that share may be than the stable version's."""


@dataclass(frozen=True, slots=True)
class DisagreementPolicy:
    """Of the gate `disagreement`: answers against the stable version's."""

    most: Share
    """Share of the golden questions on which it may differ from stable without being right."""


@dataclass(frozen=True, slots=True)
class LatencyPolicy:
    """Of the gate `latency`: candidate and stable asked in turns."""

    warm_up: Annotated[int, Allowed(0, 10_000)]
    """First calls of each number of rows, which are not counted."""
    samples: Annotated[int, Allowed(1, 100_000)]
    """Calls of each number of rows that are counted."""
    rows: Annotated[tuple[int, ...], Allowed(1, 65_536)]
    """Questions a call; each number is judged by itself."""
    p50_ratio: Times
    """The median over stable's, at most."""
    p99_ratio: Times
    """The 99th percentile over stable's, at most."""
    p99_milliseconds: Annotated[float, Allowed(0.001, 3_600_000)]
    """The 99th percentile, at most."""
    slack_milliseconds: Annotated[float, Allowed(0, 3_600_000)]
    """A difference up to this is none, whatever the ratio; for live latency, too."""


@dataclass(frozen=True, slots=True)
class LivePolicy:
    """Of the gates `errors`, `answers` and `live latency`: while the version has traffic."""

    fewest: Annotated[int, Allowed(1, 1_000_000)]
    """Calls that must be seen to judge."""
    most_errors: Share
    """Share of calls that may fail."""
    most_wrong: Share
    """Share of probes that may be answered wrongly, on top of what `golden.floor` lets through."""
    p99_ratio: Times
    """The 99th percentile over stable's, and over what it was before, at most."""
    probes_per_second: Annotated[float, Allowed(0.01, 1000)]
    """ProbeStats that each version gets."""


@dataclass(frozen=True, slots=True)
class MemoryPolicy:
    """Of the gate `memory`: what the servers take with both versions loaded."""

    query: str
    """PromQL that gives bytes; empty if memory is not looked at."""
    most_megabytes: Annotated[float, Allowed(0, 1_000_000_000)]
    """Millions of bytes, at most; 0 for no limit."""
    growth: Annotated[float, Allowed(1, 1000)]
    """Times what it was before the load, at most."""


@dataclass(frozen=True, slots=True)
class LoadPolicy:
    """How long a version may take to be there."""

    timeout: Annotated[float, Allowed(0.1, 7 * DAY)]
    """Seconds until it is AVAILABLE on every replica."""


@dataclass(frozen=True, slots=True)
class TrafficPolicy:
    """How traffic moves."""

    steps: Annotated[tuple[int, ...], Allowed(1, 100)]
    """Percent of the traffic, step by step."""
    bake: Seconds
    """Seconds at each step before it is judged."""
    settle: Seconds
    """Seconds that callers may take to see new weights or labels."""


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """All of it, a field for each section of the file."""

    golden: GoldenPolicy
    """Answers against true sums."""
    disagreement: DisagreementPolicy
    """Answers against stable's."""
    latency: LatencyPolicy
    """Calls before there is traffic."""
    live: LivePolicy
    """Calls while there is."""
    memory: MemoryPolicy
    """What the servers take."""
    load: LoadPolicy
    """How long loading may take."""
    traffic: TrafficPolicy
    """The steps, and how long each lasts."""


def default_text() -> str:
    """The file of defaults, with its comments: what an operator starts from."""
    return resources.files(__package__).joinpath(FILE_NAME).read_text(encoding="utf-8")


@cache
def default() -> GatePolicy:
    """The policy when no file is given."""
    values = _checked(default_text(), where=FILE_NAME)
    sections = get_type_hints(GatePolicy)
    return GatePolicy(**{name: sections[name](**values[name]) for name in values})


def read(path: Path) -> GatePolicy:
    """The defaults with what this file says instead.

    Raises:
        UsageError: The file cannot be read, or something in it makes no sense.
    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise UsageError(f"cannot read the policy file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the policy file {path} is not UTF-8 text: {error.reason}") from error
    policy = default()
    changes: dict[str, Any] = {
        name: replace(getattr(policy, name), **values)
        for name, values in _checked(text, where=str(path)).items()
    }
    policy = replace(policy, **changes)
    if policy.memory.most_megabytes and not policy.memory.query:
        raise UsageError(
            f"{path}: [memory] most_megabytes is a limit on what nobody asks for: give [memory] "
            "query too, the PromQL that gives the servers' bytes"
        )
    return policy


def _checked(text: str, *, where: str) -> dict[str, dict[str, Any]]:
    """The sections and keys of a file, each with a value that it takes."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the policy file {where} is not TOML: {error}") from error
    sections = get_type_hints(GatePolicy)
    for name, table in document.items():
        if name not in sections:
            raise UsageError(f"{where}: there is no section [{name}]{_instead(name, sections)}")
        if not isinstance(table, dict):
            raise UsageError(f"{where}: {name} is a section: write [{name}] and its keys below it")
    return {
        name: _section(table, get_type_hints(sections[name], include_extras=True), where, name)
        for name, table in document.items()
    }


def _section(
    table: Mapping[str, Any], hints: Mapping[str, Any], where: str, section: str
) -> dict[str, Any]:
    values = {}
    for key, value in table.items():
        if key not in hints:
            raise UsageError(f"{where}: [{section}] has no key {key}{_instead(key, hints)}")
        kind, allowed = get_args(hints[key]) if hints[key] is not str else (str, None)
        if not _fits(value, kind, allowed):
            raise UsageError(
                f"{where}: [{section}] {key} = {_shown(value)}: it takes {_wanted(kind, allowed)}"
            )
        values[key] = float(value) if kind is float else value
        if isinstance(value, list):
            values[key] = tuple(value)
    return values


def _fits(value: Any, kind: Any, allowed: Allowed | None) -> bool:
    if allowed is None:
        return isinstance(value, str)
    if get_origin(kind) is tuple:
        rising = isinstance(value, list) and all(_fits(entry, int, allowed) for entry in value)
        return rising and bool(value) and value == sorted(set(value))
    types = (int, float) if kind is float else (int,)
    number = isinstance(value, types) and not isinstance(value, bool)
    return number and allowed.low <= value <= allowed.high  # which nan is not


def _wanted(kind: Any, allowed: Allowed | None) -> str:
    """What a key takes, in words."""
    if allowed is None:
        return "text in quotes"
    ends = f"from {allowed.low:.12g} to {allowed.high:.12g}"
    if get_origin(kind) is tuple:
        return f"a list of whole numbers {ends}, each larger than the one before it"
    return f"a {'number' if kind is float else 'whole number'} {ends}"


def _instead(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {close[0]}?" if close else f": there are {', '.join(known)}"


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
