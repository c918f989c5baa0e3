"""Bytes that go in through REST come out unchanged: any bytes, any rank, rows and columns."""

from __future__ import annotations

import base64
import http.client
import json
import math
import random
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import servers

FIXTURE = Path(__file__).parent.parent / "conformance" / "fixture2"
MEGABYTE = random.Random(7).randbytes(1 << 20)
SECONDS = 60

bounded = settings(derandomize=True, max_examples=60, deadline=None, database=None)

VALUES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=10).map(str.encode),
    st.builds(
        lambda before, middle, after: b"\0" * before + middle + b"\0" * after,
        st.integers(0, 3),
        st.binary(max_size=5),
        st.integers(0, 3),
    ),
)


@st.composite
def nested(draw, ranks):
    """Lists of lists of bytes, of one shape; bytes alone for rank 0."""
    shape = draw(st.lists(st.integers(1, 3), min_size=ranks[0], max_size=ranks[1]))
    values = draw(st.lists(VALUES, min_size=math.prod(shape), max_size=math.prod(shape)))
    for size in reversed(shape):
        values = [values[at : at + size] for at in range(0, len(values), size)]
    return values[0]


def as_base64(value):
    return b'{"b64":"%b"}' % base64.b64encode(value)


def as_text(value):
    """A JSON string of these bytes, UTF-8 or not: what needs no escape goes as it is."""
    escaped = b"".join(
        b"\\u%04x" % byte if byte < 0x20 or byte in b'"\\' else bytes([byte]) for byte in value
    )
    return b'"%b"' % escaped


FORMS = st.sampled_from([as_base64, as_text])


def spelt(value, form):
    if isinstance(value, bytes):
        return form(value)
    return b"[%b]" % b",".join(spelt(element, form) for element in value)


def read(value):
    """The bytes in a reply, from text or base64."""
    if isinstance(value, list):
        return [read(element) for element in value]
    if isinstance(value, dict):
        return base64.b64decode(value["b64"], validate=True)
    return value.encode("utf-8", "surrogateescape")


@pytest.fixture(scope="module")
def predict(tmp_path_factory):
    """Sends the body of a predict call; returns what the reply has in `outputs`/`predictions`."""
    folder = tmp_path_factory.mktemp("rest")
    server = servers.Server.launch(FIXTURE, folder, model_name="odd", rest=True, forked=True)
    try:
        server.wait_until_open()
        connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=SECONDS)

        def send(signature, key, value):
            body = b'{"signature_name":"%b","%b":%b}' % (signature.encode(), key.encode(), value)
            connection.request("POST", "/v1/models/odd:predict", body)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "surrogateescape")
            assert response.status == 200, text
            (found,) = json.loads(text).values()
            return found

        yield send
        connection.close()
    finally:
        server.stop()


@bounded
@given(value=nested((0, 3)), form=FORMS)
@example(value=MEGABYTE, form=as_base64)
@example(value=MEGABYTE, form=as_text)
@example(value=b"", form=as_base64)
@example(value=b"\0\0", form=as_base64)
def test_columns(predict, value, form):
    assert read(predict("echo_string", "inputs", spelt(value, form))) == value
    named = b'{"x":%b}' % spelt(value, form)
    assert read(predict("echo_string", "inputs", named)) == value


@bounded
@given(value=nested((1, 3)), form=FORMS)
@example(value=[MEGABYTE, b""], form=as_base64)
@example(value=[b"\0", b"a\0", b"\0\0"], form=as_text)
def test_rows(predict, value, form):
    assert read(predict("echo_string", "instances", spelt(value, form))) == value
    rows = b"[%b]" % b",".join(b'{"x":%b}' % spelt(row, form) for row in value)
    assert read(predict("echo_string", "instances", rows)) == value


@bounded
@given(value=VALUES, form=FORMS)
@example(value=MEGABYTE, form=as_base64)
@example(value=b"a\0", form=as_text)
def test_scalars(predict, value, form):
    found = predict("scalar_string", "inputs", spelt(value, form))
    assert (read(found["out"]), read(found["out_bytes"])) == (value, value)
    assert found["size"] == len(value)
    found = predict("first_string", "inputs", spelt([value, b"x"], form))
    assert read(found) == value


@bounded
@given(value=nested((1, 1)), form=FORMS)
@example(value=[MEGABYTE, b"\0"], form=as_text)
def test_vectors(predict, value, form):
    found = predict("vector_string", "inputs", spelt(value, form))
    assert (read(found["out"]), read(found["out_bytes"])) == (value, value)
    rows = predict("vector_string", "instances", spelt(value, form))
    for key in ("out", "out_bytes"):
        assert [read(row[key]) for row in rows] == value
    assert [row["size"] for row in rows] == found["size"] == list(map(len, value))
