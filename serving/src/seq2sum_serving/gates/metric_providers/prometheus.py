"""What Prometheus knows of a model's live calls: instant queries over its HTTP API.

TensorFlow Serving's names begin with a colon, its counters have no `_total`, and it counts by
model and not by version. Its counts say which calls failed; its latencies hold the others only.
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
from seq2sum_serving.gates.live import LiveMetrics
from seq2sum_serving.gates.wording import one_line

CALLS = ":tensorflow:serving:request_count"
"""By `model_name` and `status`, over gRPC and REST."""
LATENCY = ":tensorflow:serving:request_latency_bucket"
"""In microseconds, by `model_name`, `API` and `entrypoint`; calls that failed are not in it."""
ASKING = 'API=~"[Pp]redict"'
"""gRPC writes it large and REST small. REST calls for the status of a model are in the same
histogram, and quick."""
LARGEST_REPLY = 1 << 20
"""Bytes. One number takes some hundred."""


class Unanswered(Failed):
    """Prometheus gave no answer, or none that is a number."""


class Prometheus:
    """A Prometheus server."""

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        """Makes no call yet.

        Args:
            url: Where its pages begin: `http://localhost:9090`, with a prefix if it has one.
            timeout: Seconds for each query.

        Raises:
            UsageError: That is no such address.
        """
        self.url = url.rstrip("/")
        self.timeout = timeout
        try:
            parts = urllib.parse.urlsplit(url)
            fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            fine = False
        if not fine or parts.query or parts.fragment or "@" in parts.netloc:
            raise UsageError(
                f"--prometheus {one_line(url)}: give an address like http://localhost:9090, "
                "without a user, a query or a fragment"
            )

    def value(self, query: str) -> float | None:
        """What an instant query gives now; None if that is nothing, or no finite number.

        Raises:
            Unanswered: Nobody answers there, or not as Prometheus does, or the query is refused
                or gives more than one series.
        """
        try:
            found = _number(json.loads(self._reply(query)))
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise Unanswered(
                f"{self.url} does not answer as Prometheus does: see that --prometheus is its "
                f"address ({type(error).__name__}: {one_line(str(error))})"
            ) from error
        if isinstance(found, str):
            raise Unanswered(f"Prometheus at {self.url} {one_line(found)}, for {one_line(query)}")
        return found if found is not None and math.isfinite(found) else None

    def live(self, model: str, seconds: float, *, ago: float | None = None) -> LiveMetrics | None:
        """How the model's calls went; None if Prometheus has seen none of them.

        Args:
            model: Its name.
            seconds: The time that is looked at, up to now.
            ago: Seconds since the canary got its first traffic: what was before is taken from
                as long a time that ended then. The same as `seconds` unless it is longer.

        Raises:
            Unanswered: See `value`.
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
            raise self._silent(why) from error
        except (OSError, HTTPException) as error:
            raise self._silent(str(error) or type(error).__name__) from error

    def _refusal(self, error: urllib.error.HTTPError) -> bytes:
        """The body of an error, if Prometheus wrote it: that says more than the number."""
        try:
            body = self._read(error)
            if isinstance(json.loads(body), dict):
                return body
        except (ValueError, OSError, HTTPException):
            pass  # a page of a proxy, or nothing
        raise Unanswered(
            f"{self.url} answers with HTTP {error.code} {one_line(str(error.reason))}: see that "
            "--prometheus is the address of Prometheus, and that it is up"
        ) from error

    def _read(self, reply: Any) -> bytes:
        body: bytes = reply.read(LARGEST_REPLY + 1)
        if len(body) > LARGEST_REPLY:
            raise ValueError(f"the reply is larger than {LARGEST_REPLY:,} bytes")
        return body

    def _silent(self, why: str) -> Unanswered:
        return Unanswered(
            f"cannot ask Prometheus at {self.url}: {one_line(why)}. Start it, or leave "
            "--prometheus away to judge by probes alone"
        )


def counted(model: str, seconds: int, *, ended: int = 0, failed: bool = False) -> str:
    """The query for the model's calls in a time, all or those that failed.

    `increase` cannot see the first call of a status, since there is no value before it to compare
    with; and the first error is the one that matters. So a series that was not there at the
    beginning, of a server that was scraped then, counts in full. One that was not is older than
    that for all we know, and so may be what it counted.

    Args:
        model: The model's name.
        seconds: How long that time is.
        ended: Seconds since it ended.
        failed: Only those with another status than OK.
    """
    named = f"model_name={_quoted(model)}"
    series = f'{CALLS}{{{named},status!="OK"}}' if failed else f"{CALLS}{{{named}}}"
    end, begin = _offset(ended), _offset(ended + seconds)
    new = f"({series}{end} unless {series}{begin}) and on (job, instance) (up{begin} == 1)"
    return f"sum(({new}) or increase({series}[{seconds}s]{end}))"


def p99(model: str, seconds: int, *, ended: int = 0) -> str:
    """The query for the 99th percentile in milliseconds of the calls that were answered."""
    series = f"{LATENCY}{{model_name={_quoted(model)},{ASKING}}}"
    rates = f"rate({series}[{seconds}s]{_offset(ended)})"
    return f"histogram_quantile(0.99, sum by (le) ({rates})) / 1000"


def _offset(seconds: int) -> str:
    return f" offset {seconds}s" if seconds else ""  # Prometheus takes no offset of nothing


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _number(reply: Mapping[str, Any]) -> float | str | None:
    """The one number in a reply, None if there is none, or a text that says what is wrong."""
    if reply["status"] == "error":
        return f"refuses the query: {reply.get('error') or reply.get('errorType')}"
    data = reply["data"]
    if data["resultType"] == "scalar":
        return float(data["result"][1])
    if data["resultType"] != "vector":
        return f"gives a {data['resultType']} and no number"
    series = data["result"]
    if len(series) > 1:
        return f"gives {len(series):,} series and no single number: take sum(...) or max(...) of it"
    return float(series[0]["value"][1]) if series else None
