"""The policy of the gates: every limit that a version is judged by, as a value.

The defaults are in `policy.toml` next to this file, and nowhere else. An operator's file overrides
individual keys. An unknown key, a wrong type or a value out of range is an error that names the
key, so that a misspelt limit is not silently ignored.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, get_type_hints

import msgspec
from msgspec import Meta, Struct

from seq2sum_serving.deployment.errors import UsageError

FILE_NAME = "policy.toml"
DAY = 86_400


def _number(low: float, high: float) -> Meta:
    return Meta(ge=low, le=high, description=f"a number from {low:.12g} to {high:.12g}")


def _integer(low: int, high: int) -> Meta:
    return Meta(ge=low, le=high, description=f"a whole number from {low} to {high}")


def _ascending(low: int, high: int) -> Meta:
    text = f"a list of whole numbers from {low} to {high}, each larger than the one before it"
    return Meta(min_length=1, description=text)


Share = Annotated[float, _number(0, 1)]
Ratio = Annotated[float, _number(0.1, 1000)]
Seconds = Annotated[float, _number(0, 7 * DAY)]

_MATCHER = r'[a-zA-Z_]\w*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\\n]|\\.)*"'
Selector = Annotated[
    str,
    Meta(
        pattern=rf"^\s*(?:{_MATCHER}\s*(?:,\s*{_MATCHER}\s*)*)?$",
        description="label matchers of PromQL without braces, such as 'job=\"serving\"'",
    ),
]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A section of the file."""


class GoldenPolicy(Section, frozen=True):
    """Gate `golden`: results of the golden requests, and the evaluation at export."""

    min_accuracy: Share
    """Smallest share of the golden requests that has to be answered as expected."""
    max_drop: Share
    """Largest amount by which that share may be below the stable version's."""


class DisagreementPolicy(Section, frozen=True):
    """Gate `disagreement`: outputs that differ from the stable version's."""

    max_share: Share
    """Largest share of the golden requests with outputs that differ and are wrong."""


class LatencyPolicy(Section, frozen=True):
    """Gate `latency`: calls to candidate and stable in turn, before there is traffic."""

    warm_up: Annotated[int, _integer(0, 10_000)]
    """Calls at the start that are not counted, for each number of rows."""
    samples: Annotated[int, _integer(1, 100_000)]
    """Calls that are counted, for each number of rows."""
    rows: Annotated[tuple[Annotated[int, Meta(ge=1, le=65_536)], ...], _ascending(1, 65_536)]
    """Rows per call; each number is judged separately."""
    max_p50_ratio: Ratio
    """Largest median, divided by stable's."""
    max_p99_ratio: Ratio
    """Largest 99th percentile, divided by stable's."""
    max_p99_milliseconds: Annotated[float, _number(0.001, 3_600_000)]
    """Largest 99th percentile."""
    slack_milliseconds: Annotated[float, _number(0, 3_600_000)]
    """A difference of at most this passes, whatever the ratio; also while there is traffic."""


class LivePolicy(Section, frozen=True):
    """Gates `errors`, `correctness` and `latency (live)`: while the version has traffic."""

    min_calls: Annotated[int, _integer(1, 1_000_000)]
    """Smallest number of calls that allows a verdict."""
    max_error_share: Share
    """Largest share of failed probes, and of live calls beyond the error rate before the canary."""
    max_wrong_share: Share
    """Largest share of wrong replies to probes, in addition to 1 - `golden.min_accuracy`."""
    max_p99_ratio: Ratio
    """Largest 99th percentile, relative to stable's and to that of all calls before the canary."""
    probes_per_second: Annotated[float, _number(0.01, 1000)]
    """Probes per second and version."""


class MetricsPolicy(Section, frozen=True):
    """Gates `errors (metrics)`, `latency (metrics)`, `batch queue` and `load time`.

    They compare the candidate group with the stable group by the metrics of their servers. Limits
    that mean the same are in `live` and `latency`.
    """

    stable: Selector
    """Selects the servers of the stable group; empty to skip the gates."""
    candidate: Selector
    """Selects the servers of the candidate group; empty to skip the gates."""
    max_queue_ratio: Ratio
    """Largest 99th percentile of the time in the batch queue, divided by the stable group's."""
    max_load_ratio: Ratio
    """Largest time of a load, divided by that of the stable version."""
    load_slack_seconds: Seconds
    """A difference of at most this between the times of loads passes, whatever the ratio."""


class MemoryPolicy(Section, frozen=True):
    """Gate `memory`: memory of the servers while both versions are loaded."""

    query: str
    """PromQL that returns the bytes of the servers of callers as one number; empty to skip the
    gate."""
    candidate_query: str
    """PromQL that returns the bytes of the candidate group, if there is one."""
    max_megabytes: Annotated[float, _number(0, 1_000_000_000)]
    """Largest result, in millions of bytes; 0 for no limit."""
    max_growth: Annotated[float, _number(1, 1000)]
    """Largest result, divided by the result before the version was loaded, or with a candidate
    group by that of the stable group."""


class LoadPolicy(Section, frozen=True):
    """Loading of the version."""

    timeout: Annotated[float, _number(0.1, 7 * DAY)]
    """Seconds within which it has to be AVAILABLE on every replica."""


class TrafficPolicy(Section, frozen=True):
    """Steps of the canary."""

    steps: Annotated[tuple[Annotated[int, Meta(ge=1, le=100)], ...], _ascending(1, 100)]
    """Percent of the traffic at each step."""
    mirror: Annotated[float, _number(0, 100)]
    """Percent of the calls copied to the candidate in a step before the first; 0 for none."""
    bake: Seconds
    """Seconds at each step before it is judged."""
    unlabelled_callers: Annotated[
        Literal["some", "none"], Meta(description='"some" or "none", in quotes')
    ]
    """Whether callers exist that name neither a label nor a version."""
    settle: Seconds
    """Seconds that callers may take to pick up new weights or labels."""


class CandidatePolicy(Section, frozen=True):
    """The candidate group: defaults of options of the command line."""

    targets: str
    """Its servers; empty without one."""
    config: str
    """Its model config file; empty for `candidate.config` next to that of the other servers."""
    router: Annotated[
        Literal["client", "envoy", "none"],
        Meta(description='"client", "envoy" or "none", in quotes'),
    ]
    """Sends callers to it."""
    envoy_admin: str
    """Addresses of the admin interface of every Envoy."""


class GatePolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole policy: a field for each section of the file."""

    golden: GoldenPolicy
    disagreement: DisagreementPolicy
    latency: LatencyPolicy
    live: LivePolicy
    metrics: MetricsPolicy
    memory: MemoryPolicy
    candidate: CandidatePolicy
    load: LoadPolicy
    traffic: TrafficPolicy


SECTIONS: dict[str, type[Section]] = get_type_hints(GatePolicy)


def default_text() -> str:
    """Returns the file of defaults with its comments, for an operator to start from."""
    return resources.files(__package__).joinpath(FILE_NAME).read_text(encoding="utf-8")


@cache
def default() -> GatePolicy:
    """Returns the default policy."""
    return msgspec.convert(tomllib.loads(default_text()), GatePolicy)


def read(path: Path) -> GatePolicy:
    """Returns the defaults with the overrides in a file.

    Raises:
        UsageError: The file cannot be read, or is not valid.
    """
    try:
        overrides = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise UsageError(f"cannot read the policy file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the policy file {path} is not UTF-8 text: {error.reason}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the policy file {path} is not TOML: {error}") from error
    values: dict[str, Any] = msgspec.to_builtins(default())
    for section, keys in overrides.items():
        both = isinstance(keys, dict) and section in values
        values[section] = {**values[section], **keys} if both else keys
    try:
        policy = msgspec.convert(values, GatePolicy)
    except msgspec.ValidationError as error:
        _refuse(path, values, error)
    for section, key in (("latency", "rows"), ("traffic", "steps")):
        numbers = getattr(getattr(policy, section), key)
        if list(numbers) != sorted(set(numbers)):
            _refuse_value(path, section, key, list(numbers))
    _check_queries(path, policy)
    return policy


def _check_queries(path: Path, policy: GatePolicy) -> None:
    """Raises UsageError if keys contradict each other."""
    for key in ("max_megabytes", "candidate_query"):
        if getattr(policy.memory, key) and not policy.memory.query:
            raise UsageError(
                f"{path}: [memory] {key} needs [memory] query, the PromQL that returns the bytes "
                "of the servers"
            )
    if policy.metrics.stable and policy.metrics.stable == policy.metrics.candidate:
        raise UsageError(
            f"{path}: [metrics] stable and candidate select the same servers: expected those of "
            "--targets and those of --candidate-targets"
        )


def _refuse(path: Path, values: dict[str, Any], error: msgspec.ValidationError) -> NoReturn:
    """Raises an error of msgspec again, with the file, section, key and expected value."""
    message, _, place = str(error).partition(" - at `$.")
    section, _, rest = place.rstrip("`").partition(".")
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", message, re.DOTALL):
        name = unknown[1]
        if section:
            known = SECTIONS[section].__struct_fields__
            raise UsageError(f"{path}: [{section}] has no key {name}{_suggestion(name, known)}")
        raise UsageError(f"{path}: no section is called [{name}]{_suggestion(name, SECTIONS)}")
    if not rest:
        raise UsageError(f"{path}: {section} is a section: write [{section}] and its keys below it")
    key = rest.partition("[")[0]
    _refuse_value(path, section, key, values[section][key])


def _refuse_value(path: Path, section: str, key: str, value: Any) -> NoReturn:
    metas = get_type_hints(SECTIONS[section], include_extras=True)[key]
    meta = getattr(metas, "__metadata__", (Meta(description="text in quotes"),))[0]
    shown = " ".join(repr(value).split())
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    raise UsageError(f"{path}: [{section}] {key} = {shown}: expected {meta.description}")


def _suggestion(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {close[0]}?" if close else f": expected one of {', '.join(known)}"
