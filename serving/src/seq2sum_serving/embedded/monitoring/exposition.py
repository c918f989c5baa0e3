"""The page that Prometheus reads, written as TensorFlow Serving writes it.

No HELP lines, no `_created` series, counters under their bare names, six significant digits,
braces even around no labels: rules on a dashboard name series by these very texts. Prometheus'
own writer would make other names of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from operator import add

from prometheus_client import Counter, Gauge

from seq2sum_serving.embedded.monitoring.metrics import METRICS, UNSEEN_UNTIL_USED, Metric
from seq2sum_serving.embedded.monitoring.sampler import Distribution, Sampler

CONTENT_TYPE = "text/plain"
"""Without a charset, as there."""
KINDS = {Counter: "counter", Gauge: "gauge", Sampler: "histogram"}

Cells = dict[tuple[str, ...], float | Distribution]
"""What a metric has recorded, by the values of its labels."""
Snapshot = dict[str, Cells]
"""What was recorded, by the metric's name."""
_elsewhere: list[Callable[[], Iterable[Snapshot]]] = []


def add_up(others: Callable[[], Iterable[Snapshot]]) -> None:
    """Makes the page that of several processes: what the others recorded is added from now on."""
    _elsewhere.append(others)


def page() -> str:
    """All metrics as they are now, sorted by name and then by labels."""
    now = _total()
    return "".join(text for name in sorted(now) for text in _texts(name, now[name]))


def snapshot() -> Snapshot:
    """What this process has recorded until now."""
    return {name: _cells(metric) for name, metric in METRICS.items()}


def sums(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Several of them added up. Pure."""
    added: Snapshot = {}
    for one in snapshots:
        for name, cells in one.items():
            found = added.setdefault(name, {})
            for labels, value in cells.items():
                found[labels] = _sum(found[labels], value) if labels in found else value
    return added


def first_cell(name: str) -> int:
    """The value of a metric's first cell; its first by the order of labels.

    This is all of a metric that a reload with `metric_names` reports: what is split by labels
    shows one of its values only, and a distribution none.

    Args:
        name: TensorFlow Serving's own, with slashes; 0 stands for an unknown one.
    """
    if not isinstance(METRICS.get(name), Counter):
        return 0
    cells = _total()[name]
    first = cells[min(cells)] if cells else 0.0
    return 0 if isinstance(first, Distribution) else int(first)


def _total() -> Snapshot:
    others = [one for source in _elsewhere for one in source()]
    return sums([snapshot(), *others]) if others else snapshot()


def _cells(metric: Metric) -> Cells:
    found: Cells = {}
    if isinstance(metric, Sampler):
        found.update(metric.cells())
    else:
        [family] = metric.collect()
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                found[tuple(sample.labels.values())] = sample.value
    # A metric without labels has no cell before the first value, though the library has one.
    return {labels: value for labels, value in found.items() if labels or _is_used(value)}


def _is_used(value: float | Distribution) -> bool:
    return any(value.counts) if isinstance(value, Distribution) else value != 0


def _sum(one: float | Distribution, other: float | Distribution) -> float | Distribution:
    if isinstance(one, Distribution) and isinstance(other, Distribution):
        return Distribution(tuple(map(add, one.counts, other.counts)), one.total + other.total)
    assert not isinstance(one, Distribution)
    assert not isinstance(other, Distribution)
    return one + other


def _texts(name: str, cells: Cells) -> Iterator[str]:
    """What is written of a metric, cell by cell: a server that swaps for months has many lines."""
    if name in UNSEEN_UNTIL_USED and not cells:
        return
    metric, written = METRICS[name], name.replace("/", ":")
    yield f"# TYPE {written} {KINDS[type(metric)]}\n"
    limits = [_limit(bound) for bound in metric.bounds] if isinstance(metric, Sampler) else []
    for values in sorted(cells):
        labels = [
            f'{label}="{_escaped(value)}"'
            for label, value in zip(metric._labelnames, values, strict=True)
        ]
        value = cells[values]
        if isinstance(value, Distribution):
            yield _distribution(written, labels, limits, value)
        else:
            yield f"{written}{{{','.join(labels)}}} {int(value)}\n"


def _distribution(
    name: str, labels: Sequence[str], limits: Iterable[str], value: Distribution
) -> str:
    """Buckets with running totals, the sum with six digits, and the count."""
    totals = list(accumulate(value.counts))
    before = "".join(f"{label}," for label in labels)
    lines = [
        f'{name}_bucket{{{before}le="{limit}"}} {total}\n'
        for limit, total in zip(limits, totals, strict=True)
    ]
    inside = ",".join(labels)
    lines.append(f"{name}_sum{{{inside}}} {value.total:g}\n")
    lines.append(f"{name}_count{{{inside}}} {totals[-1]}\n")
    return "".join(lines)


def _limit(bound: float) -> str:
    return "+Inf" if bound == math.inf else f"{bound:g}"


def _escaped(value: str) -> str:
    """A line feed is not escaped there either."""
    return value.replace("\\", "\\\\").replace('"', '\\"')
