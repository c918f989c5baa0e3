"""Prometheus as the source of a model's live calls: instant queries over its HTTP API.

TensorFlow Serving's metric names start with a colon, its counters lack `_total`, and it counts by
model, not by version (`request_count` and `request_latency` in tensorflow/serving's
servables/tensorflow/util.cc). Counts include failed calls; latencies do not.
"""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.plain_text import one_line
from seq2sum_serving.gates.live import LiveMetrics

CALLS = ":tensorflow:serving:request_count"
"""By `model_name` and `status`, over gRPC and REST."""
LATENCY = ":tensorflow:serving:request_latency_bucket"
"""In microseconds, by `model_name`, `API` and `entrypoint`, without failed calls."""
PREDICTIONS = 'API=~"[Pp]redict"'
"""gRPC writes `Predict`, REST `predict`. The same histogram holds REST calls for the status of a
model, which are much faster."""
MAX_REPLY_BYTES = 1 << 20
"""A single number takes a few hundred."""


class QueryFailed(Failed):
    """A query failed, or its result is not a single number."""


class Prometheus:
    """A Prometheus server."""

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        """Checks the address; makes no call.

        Args:
            url: Address of the server: `http://localhost:9090`, with a path prefix if it has one.
            timeout: Seconds for each query.

        Raises:
            UsageError: The address is not valid.
        """
        self.url = url.rstrip("/")
        self.timeout = timeout
        try:
            parts = urllib.parse.urlsplit(url)
            valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            valid = False
        if not valid or parts.query or parts.fragment or "@" in parts.netloc:
            raise UsageError(
                f"invalid --prometheus {one_line(url)}: expected an address like "
                "http://localhost:9090, without a user, a query or a fragment"
            )

    def value(self, query: str) -> float | None:
        """Returns the current value of a query; None if it has no series or is not finite.

        Raises:
            QueryFailed: The server cannot be reached, is not Prometheus, or refuses the query, or
                the query returns more than one series.
        """
        try:
            found = _number(json.loads(self._reply(query)))
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise QueryFailed(
                f"{self.url} does not reply as Prometheus does: check the address in --prometheus "
                f"({type(error).__name__}: {one_line(str(error))})"
            ) from error
        if isinstance(found, str):
            raise QueryFailed(f"Prometheus at {self.url} {one_line(found)}, for {one_line(query)}")
        return found if found is not None and math.isfinite(found) else None

    def live(self, model: str, seconds: float, *, ago: float | None = None) -> LiveMetrics | None:
        """Returns the calls to a model; None if Prometheus has seen none.

        Args:
            model: Name of the model.
            seconds: Length of the period up to now.
            ago: Seconds since the canary first got traffic; raised to `seconds` if less. The period
                to compare with ended then, and has the same length.

        Raises:
            QueryFailed: See `value`.
        """
        during = max(1, math.ceil(seconds))
        before = max(during, math.ceil(ago or 0))
        calls = self.value(counted(model, during))
        if calls is None:
            return None
        return LiveMetrics(
            calls=calls,
            errors=self.value(counted(model, during, failed=True)) or 0.0,
            calls_before=self.value(counted(model, during, ended=before)),
            errors_before=self.value(counted(model, during, ended=before, failed=True)),
            p99_milliseconds=self.value(p99(model, during)),
            p99_milliseconds_before=self.value(p99(model, during, ended=before)),
        )

    def _reply(self, query: str) -> bytes:
        address = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        try:
            with urllib.request.urlopen(address, timeout=self.timeout) as reply:
                return self._read(reply)
        except urllib.error.HTTPError as error:
            with error:
                return self._refusal(error)
        except urllib.error.URLError as error:
            why = getattr(error.reason, "strerror", None) or str(error.reason)
            raise self._unreachable(why) from error
        except (OSError, HTTPException) as error:
            raise self._unreachable(str(error) or type(error).__name__) from error

    def _refusal(self, error: urllib.error.HTTPError) -> bytes:
        """Returns the body of an error if Prometheus wrote it: it says more than the status."""
        try:
            body = self._read(error)
            if isinstance(json.loads(body), dict):
                return body
        except (ValueError, OSError, HTTPException):
            pass  # a page of a proxy, or an empty body
        raise QueryFailed(
            f"{self.url} replies with HTTP {error.code} {one_line(str(error.reason))}: check that "
            "--prometheus is the address of Prometheus, and that it is up"
        ) from error

    def _read(self, reply: Any) -> bytes:
        body: bytes = reply.read(MAX_REPLY_BYTES + 1)
        if len(body) > MAX_REPLY_BYTES:
            raise ValueError(f"the reply is larger than {MAX_REPLY_BYTES:,} bytes")
        return body

    def _unreachable(self, reason: str) -> QueryFailed:
        return QueryFailed(
            f"cannot query Prometheus at {self.url}: {one_line(reason)}. Start it, or omit "
            "--prometheus to judge by probes alone"
        )


def counted(model: str, seconds: int, *, ended: int = 0, failed: bool = False) -> str:
    """Returns the query for the number of calls in a period, all or only failed ones.

    `increase` misses the first call of a status, because the series has no value before it, and the
    first error is the one that matters. A series that did not exist at the start of the period
    therefore counts in full if its server was scraped at the start. If it was not, the series may
    be older than the period, and `increase` is used.

    Args:
        model: Name of the model.
        seconds: Length of the period.
        ended: Seconds since the period ended.
        failed: Count only calls with a status other than OK.
    """
    named = f"model_name={_quoted(model)}"
    series = f'{CALLS}{{{named},status!="OK"}}' if failed else f"{CALLS}{{{named}}}"
    end, begin = _offset(ended), _offset(ended + seconds)
    new = f"({series}{end} unless {series}{begin}) and on (job, instance) (up{begin} == 1)"
    return f"sum(({new}) or increase({series}[{seconds}s]{end}))"


def p99(model: str, seconds: int, *, ended: int = 0) -> str:
    """Returns the query for the 99th percentile of answered calls, in milliseconds."""
    series = f"{LATENCY}{{model_name={_quoted(model)},{PREDICTIONS}}}"
    rates = f"rate({series}[{seconds}s]{_offset(ended)})"
    return f"histogram_quantile(0.99, sum by (le) ({rates})) / 1000"


def _offset(seconds: int) -> str:
    return f" offset {seconds}s" if seconds else ""  # Prometheus refuses `offset 0s`


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _number(reply: Mapping[str, Any]) -> float | str | None:
    """Returns the number in a reply, None for no series, or what is wrong as a text."""
    if reply["status"] == "error":
        return f"refuses the query: {reply.get('error') or reply.get('errorType')}"
    data = reply["data"]
    if data["resultType"] == "scalar":
        return float(data["result"][1])
    if data["resultType"] != "vector":
        return f"returns a {data['resultType']}, not a number"
    series = data["result"]
    if len(series) > 1:
        return f"returns {len(series):,} series, not one number: use sum(...) or max(...)"
    return float(series[0]["value"][1]) if series else None
