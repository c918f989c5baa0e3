"""PromQL for the metrics of TensorFlow Serving, which counts by model, not by version.

Its metric names start with a colon, and its counters lack `_total`. `request_count` and
`request_latency` are in tensorflow/serving's servables/tensorflow/util.cc, `queuing_latency` in
batching/batching_session.cc; `load_latency` is in tensorflow's cc/saved_model/loader.cc. All times
are microseconds. The sums of histograms are not used: they are exported with six significant digits
(util/prometheus_exporter.cc), which is too coarse for the difference of two after weeks of calls.
"""

from __future__ import annotations

import re

from seq2sum_serving.gates.quantile import P99

CALLS = ":tensorflow:serving:request_count"
"""Counts by `model_name` and `status`, over gRPC and REST, including REST calls for the status of a
model, such as those of a readiness probe."""
LATENCY = ":tensorflow:serving:request_latency"
"""By `model_name`, `API` and `entrypoint`, without failed calls."""
PREDICTIONS = 'API=~"[Pp]redict"'
"""gRPC writes `Predict`, REST `predict`. The same histogram holds REST calls for the status of a
model, which are much faster."""
INFERENCE = 'API!=""'
"""Predictions, classifications and regressions: REST calls for the status of a model have none."""
QUEUE = ":tensorflow:serving:batching_session:queuing_latency"
"""Time in the batch queue, of all models of a server."""
LOAD_TIME = ":tensorflow:cc:saved_model:load_latency"
"""A counter: total time of the loads of a `model_path`, also of those that failed."""
LOADS = ":tensorflow:cc:saved_model:load_attempt_count"
"""Number of these, by `model_path` and `status`."""


def increased(series: str, seconds: int, *, ended: int = 0) -> str:
    """Returns the query for the growth of each counter in a period.

    It is the difference of two values, not `increase`, which misses the first call of a status: the
    series has no value before it, and the first error is the one that matters. `increase` also
    extrapolates to the ends of the period, but less so for a counter that started at 0. Two buckets
    of a histogram that hold the same calls could then differ by a few percent, and the p99 of fast
    calls could land in the bucket of the slowest call ever.

    A series that did not exist at the start of the period counts in full if its server was scraped
    at the start. If it was not, the series may be older than the period, and `increase` is used, as
    for a server that was restarted.

    Args:
        series: Selects the counters.
        seconds: Length of the period.
        ended: Seconds since the period ended.
    """
    end, begin = _offset(ended), _offset(ended + seconds)
    new = f"({series}{end} unless {series}{begin}) and on (job, instance) (up{begin} == 1)"
    window = f"{series}[{seconds}s]{end}"
    grown = f"({series}{end} - {series}{begin}) unless (resets({window}) > 0)"
    return f"({new}) or ({grown}) or increase({window})"


def counted(model: str, seconds: int, *, ended: int = 0, failed: bool = False) -> str:
    """Returns the query for the number of calls in a period, all or only failed ones.

    Args:
        model: Name of the model.
        seconds: Length of the period.
        ended: Seconds since the period ended.
        failed: Count only calls with a status other than OK.
    """
    named = f"model_name={quoted(model)}"
    series = f'{CALLS}{{{named},status!="OK"}}' if failed else f"{CALLS}{{{named}}}"
    return f"sum({increased(series, seconds, ended=ended)})"


def p99(model: str, seconds: int, *, ended: int = 0) -> str:
    """Returns the query for the 99th percentile of answered predictions, in milliseconds."""
    series = f"{LATENCY}_bucket{{model_name={quoted(model)},{PREDICTIONS}}}"
    return quantile_of(P99, series, seconds, ended=ended)


def quantile_of(share: float, buckets: str, seconds: int, *, ended: int = 0) -> str:
    """Returns the query for a quantile of a histogram's values in a period, in milliseconds."""
    grown = increased(buckets, seconds, ended=ended)
    return f"histogram_quantile({share:g}, sum by (le) ({grown})) / 1000"


def load_seconds(selector: str, path: str) -> str:
    """Returns the query for the mean time of a load from a path, by servers that still run."""
    # Whether TensorFlow's paths keep this prefix of a base path depends on its file system.
    pattern = quoted(f"(file://)?{re.escape(path)}")
    chosen = f"{{{selector},model_path=~{pattern}}}"
    return f"sum({LOAD_TIME}{chosen}) / sum({LOADS}{chosen}) / 1e6"


def quoted(text: str) -> str:
    """Returns a text as a string of PromQL."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _offset(seconds: int) -> str:
    return f" offset {seconds}s" if seconds else ""  # Prometheus refuses `offset 0s`
