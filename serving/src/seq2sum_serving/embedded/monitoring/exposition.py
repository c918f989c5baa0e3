"""The page that Prometheus reads, written as TensorFlow Serving writes it.

No HELP lines, no `_created` series, counters under their bare names, six significant digits,
braces even around no labels: rules on a dashboard name series by these very texts. Prometheus'
own writer would make other names of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client import Counter, Gauge, Histogram

from seq2sum_serving.embedded.monitoring.metrics import METRICS, UNSEEN_UNTIL_USED, Metric

CONTENT_TYPE = "text/plain"
"""Without a charset, as there."""
KINDS = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}
PARTS = ("_bucket", "_sum", "_count")
"""Of a histogram, in the order in which they are written."""


class _Sample(NamedTuple):
    labels: tuple[tuple[str, str], ...]
    """Without the limit of a bucket."""
    part: str
    """What is written behind the metric's name: empty, or one of PARTS."""
    limit: str | None
    value: float


def page() -> str:
    """All metrics as they are now, sorted by name and then by labels."""
    return "\n".join(line for name in sorted(METRICS) for line in _lines(name)) + "\n"


def first_cell(name: str) -> int:
    """The value of a metric's first cell; its first by the order of labels.

    This is all of a metric that a reload with `metric_names` reports: what is split by labels
    shows one of its values only, and a distribution none.

    Args:
        name: TensorFlow Serving's own, with slashes; 0 stands for an unknown one.
    """
    metric = METRICS.get(name)
    if not isinstance(metric, Counter):
        return 0
    return next((int(sample.value) for sample in _samples(metric)), 0)


def _lines(name: str) -> Iterator[str]:
    metric = METRICS[name]
    samples = _samples(metric)
    if name in UNSEEN_UNTIL_USED and not samples:
        return
    written = name.replace("/", ":")
    yield f"# TYPE {written} {KINDS[type(metric)]}"
    for sample in samples:
        labels = [f'{label}="{_escaped(value)}"' for label, value in sample.labels]
        if sample.limit is not None:
            labels.append(f'le="{sample.limit}"')
        yield f"{written}{sample.part}{{{','.join(labels)}}} {_number(sample)}"


def _samples(metric: Metric) -> list[_Sample]:
    [family] = metric.collect()
    distribution = isinstance(metric, Histogram)
    found = []
    for sample in family.samples:
        if sample.name.endswith("_created"):
            continue
        labels = dict(sample.labels)
        limit = labels.pop("le", None)
        part = sample.name.removeprefix(family.name) if distribution else ""
        if limit is not None and limit != "+Inf":
            limit = f"{float(limit):g}"
        found.append(_Sample(tuple(labels.items()), part, limit, sample.value))
    if not _used(found):
        return []
    found.sort(key=lambda sample: ([value for _, value in sample.labels], _place(sample.part)))
    return found


def _used(samples: list[_Sample]) -> bool:
    """A metric without labels has no cell before the first value, though the library has one."""
    return any(sample.labels or sample.value for sample in samples)


def _place(part: str) -> int:
    return PARTS.index(part) if part else 0


def _number(sample: _Sample) -> str:
    """Whole numbers in full; a sum is a float, with six digits of it."""
    return f"{sample.value:g}" if sample.part == "_sum" else str(int(sample.value))


def _escaped(value: str) -> str:
    """A line feed is not escaped there either."""
    return value.replace("\\", "\\\\").replace('"', '\\"')
