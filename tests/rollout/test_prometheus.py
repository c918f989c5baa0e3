"""Queries to Prometheus, against a small server that replies as Prometheus does."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.gates.live import LiveMetrics
from seq2sum_serving.gates.metric_providers.prometheus import Prometheus, QueryFailed
from seq2sum_serving.gates.metric_providers.queries import counted, load_seconds, p99, quoted


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@contextmanager
def replying(reply):
    """A server that sends the status and body of `reply(query)`, and the list of its queries."""
    queries = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)["query"][0]
            queries.append((parts.path, query))
            status, body = reply(query)
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", queries
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def vector(*values):
    series = [{"metric": {}, "value": [1700000000.5, value]} for value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": series}}


SCALAR = {"status": "success", "data": {"resultType": "scalar", "result": [1700000000.5, "2.5"]}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (vector("12.5"), 12.5),
        (vector("0"), 0.0),
        (vector("1e+09"), 1e9),
        (SCALAR, 2.5),
        (vector(), None),
        (vector("NaN"), None),
        (vector("+Inf"), None),
    ],
)
def test_query_returns_a_number_or_none(body, expected):
    with replying(lambda _: (200, body)) as (url, queries):
        assert Prometheus(url).value('sum(:a:b{c="d & é"}[60s])') == expected
    assert queries == [("/api/v1/query", 'sum(:a:b{c="d & é"}[60s])')]


def test_values_by_label():
    series = [
        {"metric": labels, "value": [1700000000.5, value]}
        for labels, value in (({"status": "OK"}, "2.5"), ({"status": "INTERNAL"}, "NaN"), ({}, "1"))
    ]
    body = {"status": "success", "data": {"resultType": "vector", "result": series}}
    with replying(lambda _: (200, body)) as (url, _):
        assert Prometheus(url).by_label("up", "status") == {"OK": 2.5, "": 1.0}
    with replying(lambda _: (200, vector())) as (url, _):
        assert Prometheus(url).by_label("up", "status") == {}
    with (
        replying(lambda _: (200, {"status": "success", "data": {"resultType": "vector"}})) as found,
        pytest.raises(QueryFailed, match=NOT_PROMETHEUS),
    ):
        Prometheus(found[0]).by_label("up", "status")


def test_address_may_have_a_prefix_and_a_trailing_slash():
    with replying(lambda _: (200, vector("1"))) as (url, queries):
        assert Prometheus(f"{url}/metrics/").value("up") == 1.0
    assert queries == [("/metrics/api/v1/query", "up")]


NOT_PROMETHEUS = "does not reply as Prometheus does"
REPLIES = {
    "invalid query": (
        400,
        {"status": "error", "errorType": "bad_data", "error": "1:4: parse\nerror"},
        "refuses the query: 1:4: parse error, for up",
    ),
    "timeout": (503, {"status": "error", "errorType": "timeout"}, "refuses the query: timeout"),
    "404": (404, b"<html>no</html>", "replies with HTTP 404 Not Found: check that"),
    "a proxy": (502, b"", "HTTP 502 Bad Gateway"),
    "other JSON": (500, b"[]", "HTTP 500"),
    "a page": (200, b"<html>hello</html>", NOT_PROMETHEUS),
    "bytes": (200, b"\xff\xfe\x00", NOT_PROMETHEUS),
    "a list": (200, [1], NOT_PROMETHEUS),
    "no data": (200, {"status": "success"}, NOT_PROMETHEUS),
    "not a number": (200, vector("many"), NOT_PROMETHEUS),
    "too large": (200, b" " * (2 << 20), "larger than 1,048,576 bytes"),
    "two series": (200, vector("1", "2"), "returns 2 series, not one number: use sum(...)"),
    "a matrix": (
        200,
        {"status": "success", "data": {"resultType": "matrix", "result": []}},
        "returns a matrix, not a number",
    ),
}


@pytest.mark.parametrize(("status", "body", "expected"), REPLIES.values(), ids=REPLIES)
def test_other_replies_are_errors_with_advice(status, body, expected):
    with replying(lambda _: (status, body)) as (url, _), pytest.raises(QueryFailed) as caught:
        Prometheus(url).value("up")
    assert expected in str(caught.value)
    assert url in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refused_connection():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Failed, match=f"cannot query Prometheus at {url}: Connection refused"):
            Prometheus(url).value("up")


def test_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(QueryFailed, match="timed out"):
            Prometheus(url, timeout=0.05).value("up")


def test_another_protocol():
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet():
            with other.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        url = f"http://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(QueryFailed, match="cannot query Prometheus"):
            Prometheus(url).value("up")
        thread.join()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:9090",
        "ftp://localhost",
        "http://",
        "http://host:port",
        "http://host:0",
        "http://me:secret@host",
        "http://host/?query=up",
        "file:///etc/passwd",
        "http://[::1",
    ],
)
def test_invalid_address(url):
    with pytest.raises(UsageError, match="expected an address like http://localhost:9090"):
        Prometheus(url)


ALL = ':tensorflow:serving:request_count{model_name="seq2sum"}'
BAD = ':tensorflow:serving:request_count{model_name="seq2sum",status!="OK"}'
FAST = ':tensorflow:serving:request_latency_bucket{model_name="seq2sum",API=~"[Pp]redict"}'


def grown(series, start, end, window):
    """The growth of counters, with `offset` clauses for the start and the end of the period."""
    return (
        f"(({series}{end} unless {series}{start}) and on (job, instance) (up{start} == 1)) "
        f"or (({series}{end} - {series}{start}) unless (resets({series}{window}) > 0)) "
        f"or increase({series}{window})"
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (counted("seq2sum", 60), f"sum({grown(ALL, ' offset 60s', '', '[60s]')})"),
        (
            counted("seq2sum", 60, ended=90, failed=True),
            f"sum({grown(BAD, ' offset 150s', ' offset 90s', '[60s] offset 90s')})",
        ),
        (
            p99("seq2sum", 5, ended=7),
            (
                "histogram_quantile(0.99, sum by (le) "
                f"({grown(FAST, ' offset 12s', ' offset 7s', '[5s] offset 7s')})) / 1000"
            ),
        ),
        (
            load_seconds('job="a"', "/models/b.c/02"),
            (
                'sum(:tensorflow:cc:saved_model:load_latency{job="a",'
                'model_path=~"(file://)?/models/b\\\\.c/02"}) / '
                'sum(:tensorflow:cc:saved_model:load_attempt_count{job="a",'
                'model_path=~"(file://)?/models/b\\\\.c/02"}) / 1e6'
            ),
        ),
        (quoted('a"b\\c\nd'), '"a\\"b\\\\c\\nd"'),
    ],
)
def test_queries_use_the_metric_names_of_tensorflow_serving(query, expected):
    assert query == expected


def test_live_metrics_of_both_periods():
    values = {
        counted("seq2sum", 60): "1000",
        counted("seq2sum", 60, failed=True): "3",
        counted("seq2sum", 60, ended=180): "900",
        counted("seq2sum", 60, ended=180, failed=True): "2",
        p99("seq2sum", 60): "12.5",
        p99("seq2sum", 60, ended=180): "NaN",
    }
    with replying(lambda query: (200, vector(values[query]))) as (url, queries):
        found = Prometheus(url).live("seq2sum", 59.5, ago=179.2)
    assert found == LiveMetrics(1000.0, 3.0, 900.0, 2.0, 12.5, None)
    assert {query for _, query in queries} == set(values)


def test_live_metrics_without_calls_before():
    now = {counted("seq2sum", 1): "5"}
    with replying(lambda query: (200, vector(*filter(None, [now.get(query)])))) as (url, _):
        assert Prometheus(url).live("seq2sum", 0.2) == LiveMetrics(5.0, 0.0)


def test_live_metrics_of_an_unknown_model():
    with replying(lambda _: (200, vector())) as (url, queries):
        assert Prometheus(url).live("seq2sum", 60) is None
    assert len(queries) == 1
