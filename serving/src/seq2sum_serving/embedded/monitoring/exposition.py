"""The page that Prometheus reads, written as TensorFlow Serving writes it.

No HELP lines, no `_created` series, counters under their bare names, six significant digits,
braces even around no labels: rules on a dashboard name series by these very texts. Prometheus'
own writer would make other names of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client import Counter, Gauge

from seq2sum_serving.embedded.monitoring.metrics import METRICS, UNSEEN_UNTIL_USED, Metric
from seq2sum_serving.embedded.monitoring.sampler import Sampler

CONTENT_TYPE = "text/plain"
"""Without a charset, as there."""
KINDS = {Counter: "counter", Gauge: "gauge", Sampler: "histogram"}
PARTS = ("_bucket", "_sum", "_count")
"""Of a histogram, in the order in which they are written."""


class Sample(NamedTuple):
    """One number of a metric."""

    labels: tuple[tuple[str, str], ...]
    """Without the limit of a bucket."""
    part: str
    """What is written behind the metric's name: empty, or one of PARTS."""
    limit: str | None
    value: float


Snapshot = dict[str, list[Sample]]
"""What was recorded, by the metric's name."""
_elsewhere: list[Callable[[], Iterable[Snapshot]]] = []


def add_up(others: Callable[[], Iterable[Snapshot]]) -> None:
    """Makes the page that of several processes: what the others recorded is added from now on."""
    _elsewhere.append(others)


def page() -> str:
    """All metrics as they are now, sorted by name and then by labels."""
    now = _total()
    return "\n".join(line for name in sorted(now) for line in _lines(name, now[name])) + "\n"


def snapshot() -> Snapshot:
    """What this process has recorded until now."""
    return {name: _samples(metric) for name, metric in METRICS.items()}


def sums(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Several of them added up. Pure."""
    added: dict[str, dict[tuple[object, ...], Sample]] = {}
    for one in snapshots:
        for name, samples in one.items():
            found = added.setdefault(name, {})
            for sample in samples:
                key = sample[:-1]
                before = found[key].value if key in found else 0.0
                found[key] = sample._replace(value=before + sample.value)
    return {name: _sorted(found.values()) for name, found in added.items()}


def first_cell(name: str) -> int:
    """The value of a metric's first cell; its first by the order of labels.

    This is all of a metric that a reload with `metric_names` reports: what is split by labels
    shows one of its values only, and a distribution none.

    Args:
        name: TensorFlow Serving's own, with slashes; 0 stands for an unknown one.
    """
    if not isinstance(METRICS.get(name), Counter):
        return 0
    return next((int(sample.value) for sample in _total()[name]), 0)


def _total() -> Snapshot:
    others = [one for source in _elsewhere for one in source()]
    return sums([snapshot(), *others]) if others else snapshot()


def _lines(name: str, samples: list[Sample]) -> Iterator[str]:
    if name in UNSEEN_UNTIL_USED and not samples:
        return
    written = name.replace("/", ":")
    yield f"# TYPE {written} {KINDS[type(METRICS[name])]}"
    for sample in samples:
        labels = [f'{label}="{_escaped(value)}"' for label, value in sample.labels]
        if sample.limit is not None:
            labels.append(f'le="{sample.limit}"')
        yield f"{written}{sample.part}{{{','.join(labels)}}} {_number(sample)}"


def _samples(metric: Metric) -> list[Sample]:
    [family] = metric.collect()
    distribution = isinstance(metric, Sampler)
    found = []
    for sample in family.samples:
        if sample.name.endswith("_created"):
            continue
        labels = dict(sample.labels)
        limit = labels.pop("le", None)
        part = sample.name.removeprefix(family.name) if distribution else ""
        if limit is not None and limit != "+Inf":
            limit = f"{float(limit):g}"
        found.append(Sample(tuple(labels.items()), part, limit, sample.value))
    return _sorted(found) if _used(found) else []


def _sorted(samples: Iterable[Sample]) -> list[Sample]:
    """By labels, and the parts of each as they are written; buckets stay as they are."""
    return sorted(
        samples, key=lambda sample: ([value for _, value in sample.labels], _place(sample.part))
    )


def _used(samples: list[Sample]) -> bool:
    """A metric without labels has no cell before the first value, though the library has one."""
    return any(sample.labels or sample.value for sample in samples)


def _place(part: str) -> int:
    return PARTS.index(part) if part else 0


def _number(sample: Sample) -> str:
    """Whole numbers in full; a sum is a float, with six digits of it."""
    return f"{sample.value:g}" if sample.part == "_sum" else str(int(sample.value))


def _escaped(value: str) -> str:
    """A line feed is not escaped there either."""
    return value.replace("\\", "\\\\").replace('"', '\\"')
