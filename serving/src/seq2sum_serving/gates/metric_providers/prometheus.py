"""Prometheus as the source of a model's live calls: instant queries over its HTTP API."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from http.client import HTTPException
from typing import Any, TypeVar

from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.plain_text import one_line
from seq2sum_serving.gates.live import LiveMetrics
from seq2sum_serving.gates.metric_providers.queries import counted, p99

MAX_REPLY_BYTES = 1 << 20
"""A reply with a single number has a few hundred."""

T = TypeVar("T")


class QueryFailed(Failed):
    """A query failed, or its result is not a single number."""


class _Refusal(Exception):
    """Prometheus refuses a query, or returns another type of result; the message says which."""


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
        found = self._query(query, _number)
        return found if found is not None and math.isfinite(found) else None

    def by_label(self, query: str, label: str) -> dict[str, float]:
        """Returns the current values of a query by the value of a label; only finite ones.

        Args:
            query: Returns series that differ in this label.
            label: Its name.

        Raises:
            QueryFailed: As `value`, except that there may be several series.
        """
        return self._query(query, partial(_by_label, label=label))

    def _query(self, query: str, parse: Callable[[Mapping[str, Any]], T]) -> T:
        try:
            return parse(json.loads(self._reply(query)))
        except _Refusal as refusal:
            raise QueryFailed(
                f"Prometheus at {self.url} {one_line(str(refusal))}, for {one_line(query)}"
            ) from None
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise QueryFailed(
                f"{self.url} does not reply as Prometheus does: check the address in --prometheus "
                f"({type(error).__name__}: {one_line(str(error))})"
            ) from error

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


def _number(reply: Mapping[str, Any]) -> float | None:
    """Returns the number in a reply; None for no series."""
    series = _series(reply)
    if len(series) > 1:
        raise _Refusal(f"returns {len(series):,} series, not one number: use sum(...) or max(...)")
    return series[0][1] if series else None


def _by_label(reply: Mapping[str, Any], label: str) -> dict[str, float]:
    found = {labels.get(label, ""): value for labels, value in _series(reply)}
    return {text: value for text, value in found.items() if math.isfinite(value)}


def _series(reply: Mapping[str, Any]) -> list[tuple[Mapping[str, str], float]]:
    """Returns labels and value of each series in a reply."""
    if reply["status"] == "error":
        raise _Refusal(f"refuses the query: {reply.get('error') or reply.get('errorType')}")
    data = reply["data"]
    if data["resultType"] == "scalar":
        return [({}, float(data["result"][1]))]
    if data["resultType"] != "vector":
        raise _Refusal(f"returns a {data['resultType']}, not a number")
    return [(each["metric"], float(each["value"][1])) for each in data["result"]]
