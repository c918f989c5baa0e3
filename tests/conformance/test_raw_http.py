"""Splitting the bytes of a connection into replies."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from conformance import raw_http
from conformance.folder import Folder

pytestmark = pytest.mark.tensorflow

SERVER = SimpleNamespace(folder=Folder(Path("/run/of/a/case")))


def read_all(data):
    return [raw_http.read(*reply, SERVER) for reply in raw_http.split(data)]


def test_replies_are_split_by_their_lengths():
    first, second = read_all(
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 404 Not Found\r\nDate: now\r\nContent-Length: 14\r\n\r\n/run/of/a/case"
    )
    assert first == {"status": "HTTP/1.1 100 Continue", "headers": {}, "body": ""}
    assert second["headers"] == {"content-length": "(right)"}
    assert second["body"] == "{dir}"


def test_a_wrong_length_is_kept():
    [reply] = read_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")
    assert reply["headers"] == {"content-length": "9"}


def test_a_reply_without_a_length_takes_the_rest():
    assert read_all(b"HTTP/1.0 200 OK\r\n\r\nall of it")[0]["body"] == "all of it"


def test_bytes_that_are_not_http_are_reported():
    assert read_all(b"garbage")[0]["body"] == "garbage"
