"""The REST router with fakes behind it: bodies, statuses, headers, paths, and the web page."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.monitoring import metrics
from seq2sum_serving.embedded.rest import gzip_body
from seq2sum_serving.embedded.rest.api import RestApi
from seq2sum_serving.embedded.rest.page import Page, latencies
from seq2sum_serving.embedded.rest.request_parser import Request
from seq2sum_serving.embedded.rest.router import Router, RouterOptions
from support.fake_core import FakeCore, echo

pytestmark = pytest.mark.tensorflow

NOT_FOUND = b"<H1>Not Found</H1>"


class FakePredictionService:
    """Returns the input, or raises `failure`."""

    def __init__(self):
        self.timeout = None
        self.failure = None

    def predict(self, request, *, timeout):
        self.timeout = timeout
        if self.failure:
            raise self.failure
        return echo(request)


@pytest.fixture
def send():
    """Sends a request to a router with fakes behind it; returns status, headers and body."""
    workers = ThreadPoolExecutor(1)
    service, core = FakePredictionService(), FakeCore()

    def send_request(verb, path, body=b"", headers=(), *, workers=workers, **options):
        router = Router(
            RestApi(service, core, 1.5), Page(core.models), workers, RouterOptions(**options)
        )
        fields = {name.lower().encode(): value.encode() for name, value in headers}
        request = Request(verb, path.encode(), headers=fields, body=body)
        reply = asyncio.run(asyncio.wait_for(router.handle(request), 5 if workers else 0.05))
        found = {name.lower(): value for name, value in reply.headers}
        return reply.status, found | {"content-type": reply.content_type}, reply.body

    send_request.service = service
    yield send_request
    workers.shutdown()


def predict(send, body=b'{"inputs": [1.5]}', *headers, path="/v1/models/m:predict", **options):
    return send("POST", path, body, headers, **options)


def test_content_type_of_the_request_is_ignored(send):
    status, headers, body = predict(send, b'{"inputs": [1.5]}', ("Content-Type", "text/plain"))
    assert (status, json.loads(body)) == (200, {"outputs": [1.5]})
    assert headers == {"content-type": "application/json"}
    assert send.service.timeout == 1.5


def test_gzip_body_is_decompressed(send):
    body = gzip.compress(b'{"inputs": [2]}')
    assert predict(send, body, ("Content-Encoding", "x-gzip"))[0] == 200
    status, _, reply = predict(send, b'{"inputs": [2]}', ("Content-Encoding", "gzip"))
    assert (status, b"The document is empty" in reply) == (400, True)


def test_decompressed_size_is_limited(monkeypatch):
    monkeypatch.setattr(gzip_body, "MAX_DECOMPRESSED_BYTES", 100)
    assert gzip_body.decompress(gzip.compress(b"x" * 100)) == b"x" * 100
    assert gzip_body.decompress(gzip.compress(b"x" * 101)) == b""
    assert gzip_body.decompress(gzip.compress(b"x" * 100)[:-1]) == b""


@pytest.mark.parametrize("tail", [b"\0", b"x", b"\n", gzip.compress(b""), gzip.compress(b"{}")])
def test_gzip_body_has_exactly_one_member(tail):
    assert gzip_body.decompress(gzip.compress(b"{}")) == b"{}"
    assert gzip_body.decompress(gzip.compress(b"{}") + tail) == b""


def test_reserved_flags_of_a_gzip_body_are_ignored():
    body = bytearray(gzip.compress(b"{}"))
    body[3] |= 0xE0
    assert gzip_body.decompress(bytes(body)) == b"{}"
    assert gzip_body.decompress(b"") == gzip_body.decompress(bytes(body[:4])) == b""


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (Code.FAILED_PRECONDITION, 400),
        (Code.NOT_FOUND, 404),
        (Code.RESOURCE_EXHAUSTED, 429),
        (Code.CANCELLED, 499),
        (Code.INTERNAL, 500),
        (Code.UNIMPLEMENTED, 501),
        (Code.UNAVAILABLE, 503),
        (Code.DEADLINE_EXCEEDED, 504),
    ],
)
def test_http_status_of_errors(send, code, status):
    send.service.failure = ServingError(code, "why")
    found, headers, body = predict(send)
    assert (found, json.loads(body)) == (status, {"error": "why"})
    assert headers["content-type"] == "application/json"


def test_exception_is_an_internal_error(send, caplog):
    send.service.failure = ValueError("bug")
    status, _, body = predict(send)
    assert (status, json.loads(body)) == (500, {"error": "ValueError('bug')"})
    assert "failed" in caplog.text


def test_unknown_signature_and_model(send):
    status, _, body = predict(send, b'{"signature_name": "s", "inputs": 1}')
    message = json.loads(body)["error"]
    assert (status, message) == (400, 'Serving signature name: "s" not found in signature def')
    status, _, body = predict(send, path="/v1/models/n:predict")
    assert (status, b"Latest(n)" in body) == (404, True)


def test_calls_are_counted_by_the_name_in_the_path(send):
    def value(model, status):
        return metrics.REQUEST_COUNT.labels(model, status).value

    before = value("m", "OK"), value("odd name", "NOT_FOUND"), value("", "INVALID_ARGUMENT")
    predict(send)
    predict(send, path="/v1/models/odd%20name:predict")
    predict(send, path="/v1/models/m:nothing")
    after = value("m", "OK"), value("odd name", "NOT_FOUND"), value("", "INVALID_ARGUMENT")
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 1]


def test_error_pages_are_html(send):
    for path in ("/favicon.ico", "/v1", "/models.json/", "/monitoring/prometheus/metrics"):
        status, headers, body = send("GET", path)
        assert (status, NOT_FOUND in body) == (404, True)
        assert headers["content-type"] == "text/html"
    assert send("GET", "/v1/models/%zz")[0] == 400
    assert send("TRACE", "/v1/models/m")[0] == 501


def test_cors_headers_need_the_flag(send):
    origin = ("Origin", "https://example.org")
    status, headers, body = send("OPTIONS", "/v1/models/m:predict", headers=[origin], cors=True)
    assert (status, body) == (200, b"")
    assert headers["access-control-allow-origin"] == "*"
    assert send("OPTIONS", "/v1/models/m:predict", cors=True)[0] == 400
    assert "access-control-allow-origin" in predict(send, cors=True)[1]
    assert "access-control-allow-origin" not in predict(send)[1]


def test_path_of_metrics(send):
    for verb in ("GET", "POST"):
        status, headers, body = send(verb, "/m", metrics_path="/m")
        assert (status, headers["content-type"]) == (200, "text/plain")
        assert body.startswith(b"# TYPE :tensorflow:")
    status, _, body = send("GET", "/m?x", metrics_path="/m")
    assert (status, body) == (400, b"Unexpected path: /m?x. Should be /m")
    assert send("GET", "/m")[0] == 404


def test_calls_without_workers_get_no_reply(send):
    with pytest.raises(TimeoutError):
        predict(send, workers=None)
    assert send("GET", "/nothing", workers=None)[0] == 404


def test_page_allows_its_own_files_only(send):
    status, headers, body = send("GET", "/")
    policy = headers["content-security-policy"]
    assert status == 200
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert not re.search(rb"<style|<script(?! type=.module. src=)|style=|\son\w+=", body)
    files = re.findall(rb'(?:src|href)="(?!data:,)([^"]*)"', body)
    assert files
    types = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
    for file in files:  # a list that grows by what the files import
        status, headers, body = send("GET", f"/{file.decode()}")
        assert (status, headers["content-type"]) == (200, types[file.decode().rpartition(".")[2]])
        assert headers["x-content-type-options"] == "nosniff"
        outside = rb"https?://(?!www\.w3\.org/2000/svg)|@import|\burl\(|innerHTML|eval\(|import\("
        assert not re.search(outside, body)
        imported = [b"page/" + name for name in re.findall(rb'from "\./([^"]*)"', body)]
        files += [name for name in imported if name not in files]
    assert len(files) > 10


def test_page_has_no_other_files(send):
    for path in ("", "page.html", "../page.py", "nothing.js", "MAIN.js"):
        assert send("GET", f"/page/{path}")[0] == 404
    for path in ("/", "/page/main.js"):
        assert send("POST", path)[0] == 404


def test_page_data(send):
    predict(send)
    data = json.loads(send("GET", "/models.json")[2])
    assert data["models"] == [
        {
            "name": "m",
            "base_path": "/models/m",
            "labels": {"a": "3"},
            "versions": [
                {"version": "4", "state": "END", "error": "NOT_FOUND: <b>gone</b>"},
                {"version": "3", "state": "AVAILABLE", "error": ""},
            ],
        }
    ]
    (cell,) = (cell for cell in data["latencies"] if cell["api"] == "predict")
    assert (cell["model"], cell["entrypoint"]) == ("m", "REST")
    assert len(cell["counts"]) == len(data["latency_bounds"]) + 1
    assert sum(cell["counts"]) >= 1


def test_latencies_are_counted_by_bucket():
    assert "buckets" not in {cell.model for cell in latencies()}
    for micros in (1, 20, 21, 1e12):
        metrics.REQUEST_LATENCY.labels("buckets", "predict", "REST").observe(micros)
    (cell,) = (cell for cell in latencies() if cell.model == "buckets")
    assert [count for count in cell.counts if count] == [1, 2, 1]
    assert cell.counts[-1] == 1
