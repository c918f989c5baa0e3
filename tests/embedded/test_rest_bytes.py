"""Byte strings of any content and rank pass through REST unchanged, in row and column format."""

from __future__ import annotations

import base64
import http.client
import json
import math
import random

import pytest
from conformance.case import FIXTURE2
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import servers

pytestmark = pytest.mark.server

MEGABYTE = random.Random(7).randbytes(1 << 20)
TIMEOUT = 60

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
    """Generates nested lists of bytes of one shape; plain bytes for rank 0."""
    shape = draw(st.lists(st.integers(1, 3), min_size=ranks[0], max_size=ranks[1]))
    values = draw(st.lists(VALUES, min_size=math.prod(shape), max_size=math.prod(shape)))
    for size in reversed(shape):
        values = [values[at : at + size] for at in range(0, len(values), size)]
    return values[0]


def as_base64(value):
    return b'{"b64":"%b"}' % base64.b64encode(value)


def as_text(value):
    """Returns a JSON string of any bytes, with only the necessary escapes."""
    escaped = b"".join(
        b"\\u%04x" % byte if byte < 0x20 or byte in b'"\\' else bytes([byte]) for byte in value
    )
    return b'"%b"' % escaped


ENCODINGS = st.sampled_from([as_base64, as_text])


def to_json(value, encoding):
    if isinstance(value, bytes):
        return encoding(value)
    return b"[%b]" % b",".join(to_json(element, encoding) for element in value)


def read(value):
    """Returns the bytes in a reply, from text or base64."""
    if isinstance(value, list):
        return [read(element) for element in value]
    if isinstance(value, dict):
        return base64.b64decode(value["b64"], validate=True)
    return value.encode("utf-8", "surrogateescape")


@pytest.fixture(scope="module")
def predict(tmp_path_factory):
    """Makes a predict call; returns the `outputs` or `predictions` of the reply."""
    folder = tmp_path_factory.mktemp("rest")
    server = servers.Server.launch(FIXTURE2, folder, model_name="odd", rest=True, forked=True)
    try:
        server.wait_until_open()
        connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=TIMEOUT)

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
@given(value=nested((0, 3)), encoding=ENCODINGS)
@example(value=MEGABYTE, encoding=as_base64)
@example(value=MEGABYTE, encoding=as_text)
@example(value=b"", encoding=as_base64)
@example(value=b"\0\0", encoding=as_base64)
def test_columns(predict, value, encoding):
    assert read(predict("echo_string", "inputs", to_json(value, encoding))) == value
    named = b'{"x":%b}' % to_json(value, encoding)
    assert read(predict("echo_string", "inputs", named)) == value


@bounded
@given(value=nested((1, 3)), encoding=ENCODINGS)
@example(value=[MEGABYTE, b""], encoding=as_base64)
@example(value=[b"\0", b"a\0", b"\0\0"], encoding=as_text)
def test_rows(predict, value, encoding):
    assert read(predict("echo_string", "instances", to_json(value, encoding))) == value
    rows = b"[%b]" % b",".join(b'{"x":%b}' % to_json(row, encoding) for row in value)
    assert read(predict("echo_string", "instances", rows)) == value


@bounded
@given(value=VALUES, encoding=ENCODINGS)
@example(value=MEGABYTE, encoding=as_base64)
@example(value=b"a\0", encoding=as_text)
def test_scalars(predict, value, encoding):
    found = predict("scalar_string", "inputs", to_json(value, encoding))
    assert (read(found["out"]), read(found["out_bytes"])) == (value, value)
    assert found["size"] == len(value)
    found = predict("first_string", "inputs", to_json([value, b"x"], encoding))
    assert read(found) == value


@bounded
@given(value=nested((1, 1)), encoding=ENCODINGS)
@example(value=[MEGABYTE, b"\0"], encoding=as_text)
def test_vectors(predict, value, encoding):
    found = predict("vector_string", "inputs", to_json(value, encoding))
    assert (read(found["out"]), read(found["out_bytes"])) == (value, value)
    rows = predict("vector_string", "instances", to_json(value, encoding))
    for key in ("out", "out_bytes"):
        assert [read(row[key]) for row in rows] == value
    assert [row["size"] for row in rows] == found["size"] == list(map(len, value))
