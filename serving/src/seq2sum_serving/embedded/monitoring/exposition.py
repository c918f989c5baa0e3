"""The metrics page that Prometheus scrapes, as TensorFlow Serving writes it.

No HELP lines, no `_created` series, counters under their plain names, six significant digits, and
braces even without labels (util/prometheus_exporter.cc): rules and dashboards refer to series by
these exact texts. The writer of prometheus_client would change the names.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from seq2sum_serving.embedded.monitoring.metric_types import Counter, Distribution, Histogram
from seq2sum_serving.embedded.monitoring.metrics import METRICS

CONTENT_TYPE = "text/plain"
"""Without a charset, as in TensorFlow Serving (recorded case `http/path-metrics-query`)."""


def page() -> str:
    """Returns the text of all metrics, sorted by name and then by labels."""
    return "".join(text for name in sorted(METRICS) for text in _texts(name))


def first_cell(name: str) -> int:
    """Returns the value of a counter's first cell, by the order of labels.

    A reload with `metric_names` reports only this value, even if there are several cells, and 0
    for a distribution (recorded case `reload/metric-names`).

    Args:
        name: TensorFlow Serving's name, with slashes; 0 is returned for an unknown name.
    """
    metric = METRICS.get(name)
    cells = metric.cells() if isinstance(metric, Counter) else {}
    return int(cells[min(cells)]) if cells else 0


def _texts(name: str) -> Iterator[str]:
    """Yields the lines of a metric cell by cell, since there may be many."""
    metric, exported = METRICS[name], name.replace("/", ":")
    cells = metric.cells()
    if metric.hidden_until_used and not cells:
        return
    yield f"# TYPE {exported} {metric.kind}\n"
    bounds = [_bound(bound) for bound in metric.bounds] if isinstance(metric, Histogram) else []
    for values in sorted(cells):
        labels = [
            f'{label}="{_escaped(value)}"'
            for label, value in zip(metric.label_names, values, strict=True)
        ]
        value = cells[values]
        if isinstance(value, Distribution):
            yield _distribution(exported, labels, bounds, value)
        else:
            yield f"{exported}{{{','.join(labels)}}} {int(value)}\n"


def _distribution(
    name: str, labels: Sequence[str], bounds: Iterable[str], value: Distribution
) -> str:
    """Returns the lines of cumulative buckets, of the sum with six digits, and of the count."""
    totals = list(accumulate(value.counts))
    before = "".join(f"{label}," for label in labels)
    lines = [
        f'{name}_bucket{{{before}le="{bound}"}} {total}\n'
        for bound, total in zip(bounds, totals, strict=True)
    ]
    inside = ",".join(labels)
    lines.append(f"{name}_sum{{{inside}}} {value.total:g}\n")
    lines.append(f"{name}_count{{{inside}}} {totals[-1]}\n")
    return "".join(lines)


def _bound(bound: float) -> str:
    return "+Inf" if bound == math.inf else f"{bound:g}"


def _escaped(value: str) -> str:
    """Escapes a label's value; like prometheus_exporter.cc it leaves line feeds unescaped."""
    return value.replace("\\", "\\\\").replace('"', '\\"')
