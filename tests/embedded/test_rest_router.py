from __future__ import annotations

import asyncio
import gzip
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.lifecycle.states import State, VersionState
from seq2sum_serving.embedded.monitoring import metrics
from seq2sum_serving.embedded.rest import gzip_body
from seq2sum_serving.embedded.rest.api import RestApi
from seq2sum_serving.embedded.rest.page import Page, latencies
from seq2sum_serving.embedded.rest.request_parser import Request
from seq2sum_serving.embedded.rest.router import Router, RouterOptions
from seq2sum_serving.embedded.server_core import ModelView
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

NOT_FOUND = b"<H1>Not Found</H1>"


class FakeServable:
    def __init__(self):
        self.signatures = {"serving_default": meta_graph_pb2.SignatureDef()}
        self.signatures["serving_default"].inputs["x"].dtype = 1


class FakeCore:
    """One model, `m`, in version 3."""

    def handle(self, spec):
        if spec.name != "m":
            raise ServingError(
                Code.NOT_FOUND, f"Servable not found for request: Latest({spec.name})"
            )
        return self

    def __enter__(self):
        return 3, FakeServable()

    def __exit__(self, *_):
        return None

    def models(self):
        failed = VersionState(State.END, ServingError(Code.NOT_FOUND, "<b>gone</b>"))
        return [
            ModelView("m", "/models/m", {"a": 3}, {4: failed, 3: VersionState(State.AVAILABLE)})
        ]


class FakePlane:
    """Gives back what it is asked, or fails as it is told to."""

    def __init__(self):
        self.timeout = None
        self.failure = None

    def predict(self, request, *, timeout):
        self.timeout = timeout
        if self.failure:
            raise self.failure
        response = predict_pb2.PredictResponse()
        response.outputs["y"].CopyFrom(request.inputs["x"])
        return response


@pytest.fixture
def ask():
    """Asks an application over fakes; returns status, headers and body."""
    workers = ThreadPoolExecutor(1)
    plane, core = FakePlane(), FakeCore()

    def send(verb, path, body=b"", headers=(), *, workers=workers, **options):
        router = Router(
            RestApi(plane, core, 1.5), Page(core.models), workers, RouterOptions(**options)
        )
        fields = {name.lower().encode(): value.encode() for name, value in headers}
        request = Request(verb, path.encode(), headers=fields, body=body)
        reply = asyncio.run(asyncio.wait_for(router.handle(request), 5 if workers else 0.05))
        found = {name.lower(): value for name, value in reply.headers}
        return reply.status, found | {"content-type": reply.content_type}, reply.body

    send.plane = plane
    yield send
    workers.shutdown()


def predict(ask, body=b'{"inputs": [1.5]}', *headers, path="/v1/models/m:predict", **options):
    return ask("POST", path, body, headers, **options)


def test_a_call_is_answered_with_json_whatever_it_says_it_sends(ask):
    status, headers, body = predict(ask, b'{"inputs": [1.5]}', ("Content-Type", "text/plain"))
    assert (status, json.loads(body)) == (200, {"outputs": [1.5]})
    assert headers == {"content-type": "application/json"}
    assert ask.plane.timeout == 1.5


def test_a_gzip_body_is_inflated(ask):
    body = gzip.compress(b'{"inputs": [2]}')
    assert predict(ask, body, ("Content-Encoding", "x-gzip"))[0] == 200
    status, _, said = predict(ask, b'{"inputs": [2]}', ("Content-Encoding", "gzip"))
    assert (status, b"The document is empty" in said) == (400, True)


def test_a_body_that_inflates_beyond_the_limit_is_dropped(monkeypatch):
    monkeypatch.setattr(gzip_body, "MAX_DECOMPRESSED_BYTES", 100)
    assert gzip_body.decompress(gzip.compress(b"x" * 100)) == b"x" * 100
    assert gzip_body.decompress(gzip.compress(b"x" * 101)) == b""
    assert gzip_body.decompress(gzip.compress(b"x" * 100)[:-1]) == b""


@pytest.mark.parametrize("tail", [b"\0", b"x", b"\n", gzip.compress(b""), gzip.compress(b"{}")])
def test_a_gzip_body_ends_with_its_only_member(tail):
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
def test_errors_have_the_http_status_of_their_code(ask, code, status):
    ask.plane.failure = ServingError(code, "why")
    found, headers, body = predict(ask)
    assert (found, json.loads(body)) == (status, {"error": "why"})
    assert headers["content-type"] == "application/json"


def test_a_fault_of_ours_is_an_internal_error(ask, caplog):
    ask.plane.failure = ValueError("bug")
    status, _, body = predict(ask)
    assert (status, json.loads(body)) == (500, {"error": "ValueError('bug')"})
    assert "failed" in caplog.text


def test_signatures_and_models_that_are_not_there(ask):
    status, _, body = predict(ask, b'{"signature_name": "s", "inputs": 1}')
    said = json.loads(body)["error"]
    assert (status, said) == (400, 'Serving signature name: "s" not found in signature def')
    status, _, body = predict(ask, path="/v1/models/n:predict")
    assert (status, b"Latest(n)" in body) == (404, True)


def test_calls_are_counted_under_the_name_that_was_sent(ask):
    def value(model, status):
        return metrics.REQUEST_COUNT.labels(model, status).value

    before = value("m", "OK"), value("odd name", "NOT_FOUND"), value("", "INVALID_ARGUMENT")
    predict(ask)
    predict(ask, path="/v1/models/odd%20name:predict")
    predict(ask, path="/v1/models/m:nothing")
    after = value("m", "OK"), value("odd name", "NOT_FOUND"), value("", "INVALID_ARGUMENT")
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 1]


def test_pages_of_the_http_layer_are_html(ask):
    for path in ("/favicon.ico", "/v1", "/models.json/", "/monitoring/prometheus/metrics"):
        status, headers, body = ask("GET", path)
        assert (status, NOT_FOUND in body) == (404, True)
        assert headers["content-type"] == "text/html"
    assert ask("GET", "/v1/models/%zz")[0] == 400
    assert ask("TRACE", "/v1/models/m")[0] == 501


def test_cors_headers_come_by_flag_alone(ask):
    origin = ("Origin", "https://example.org")
    status, headers, body = ask("OPTIONS", "/v1/models/m:predict", headers=[origin], cors=True)
    assert (status, body) == (200, b"")
    assert headers["access-control-allow-origin"] == "*"
    assert ask("OPTIONS", "/v1/models/m:predict", cors=True)[0] == 400
    assert "access-control-allow-origin" in predict(ask, cors=True)[1]
    assert "access-control-allow-origin" not in predict(ask)[1]


def test_metrics_are_on_their_path_exactly(ask):
    for verb in ("GET", "POST"):
        status, headers, body = ask(verb, "/m", metrics_path="/m")
        assert (status, headers["content-type"]) == (200, "text/plain")
        assert body.startswith(b"# TYPE :tensorflow:")
    status, _, body = ask("GET", "/m?x", metrics_path="/m")
    assert (status, body) == (400, b"Unexpected path: /m?x. Should be /m")
    assert ask("GET", "/m")[0] == 404


def test_without_workers_calls_are_never_answered(ask):
    with pytest.raises(TimeoutError):
        predict(ask, workers=None)
    assert ask("GET", "/nothing", workers=None)[0] == 404


def test_the_page_may_run_its_own_script_only(ask):
    status, headers, body = ask("GET", "/")
    policy = headers["content-security-policy"]
    assert status == 200
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(rb"(?:src|href)=.(?!data:,)|@import|url\(|innerHTML|style=", body)
    assert ask("POST", "/")[0] == 404


def test_the_pages_data_is_what_the_core_knows(ask):
    predict(ask)
    data = json.loads(ask("GET", "/models.json")[2])
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


def test_latencies_are_told_apart_by_bucket():
    assert "buckets" not in {cell.model for cell in latencies()}
    for micros in (1, 20, 21, 1e12):
        metrics.REQUEST_LATENCY.labels("buckets", "predict", "REST").observe(micros)
    (cell,) = (cell for cell in latencies() if cell.model == "buckets")
    assert [count for count in cell.counts if count] == [1, 2, 1]
    assert cell.counts[-1] == 1
