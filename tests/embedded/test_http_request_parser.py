from __future__ import annotations

import time

import pytest
from seq2sum_serving.embedded.rest import request_parser
from seq2sum_serving.embedded.rest.request_parser import HttpError, Request, RequestParser

BODY = b'{"instances":[1.0]}'
LENGTH = b"Content-Length: 19\r\n"


def parse(*pieces):
    """Returns the complete requests in the pieces."""
    parser = RequestParser()
    found = []
    for piece in pieces:
        parser.feed(piece)
        while request := parser.next_request():
            found.append(request)
    return found


def parse_one(data):
    (request,) = parse(data)
    return request


def error_status(data):
    with pytest.raises(HttpError) as raised:
        parse(data)
    return raised.value.status


def post(headers=LENGTH, body=BODY, version=b"1.1"):
    return b"POST /p HTTP/" + version + b"\r\n" + headers + b"\r\n" + body


def test_headers_are_optional():
    assert parse_one(b"GET /v1 HTTP/1.1\r\n\r\n") == Request("GET", b"/v1")
    assert parse_one(b"GET /v1 HTTP/1.0\n\n") == Request("GET", b"/v1", (1, 0))


def test_header_names_are_case_insensitive():
    head = b"A:1\r\nhOST:  x \t\r\nB : 2\r\nA: 3\r\nC:\r\nD: a:b\r\n\r\n"
    request = parse_one(b"GET / HTTP/1.1\r\n" + head)
    assert request.headers == {
        b"a": b"1",
        b"host": b"x",
        b"b ": b"2",
        b"c": b"",
        b"d": b"a:b",
    }


def test_folded_header_is_joined():
    request = parse_one(b"GET / HTTP/1.1\r\nA: 1\r\n 2 \r\n\t3\r\nB: \xe9\x01\r\n\r\n")
    assert request.headers == {b"a": b"1 2 3", b"b": b"\xe9\x01"}


def test_body_has_the_given_length():
    assert parse_one(post()).body == BODY
    assert parse_one(post(b"")[: -len(BODY)]).body == b""
    assert parse_one(post(b"content-length:0\r\n", b"")).body == b""
    assert parse_one(post(b"Content-Length: 5\r\n", BODY[:5])).body == BODY[:5]


def test_pipelined_requests():
    data = post() + b"GET /x HTTP/1.1\r\n\r\n" + post(version=b"1.0")
    requests = parse(data)
    assert [(request.verb, request.body) for request in requests] == [
        ("POST", BODY),
        ("GET", b""),
        ("POST", BODY),
    ]


def test_body_is_read_for_any_verb():
    data = b"DELETE /x HTTP/1.1\r\n" + LENGTH + b"\r\n" + BODY + b"GET /y HTTP/1.1\r\n\r\n"
    assert [request.target for request in parse(data)] == [b"/x", b"/y"]


@pytest.mark.parametrize(
    "coding", [b"chunked", b"Chunked", b"gzip, chunked", b" chunked ", b"gzip,chunked"]
)
def test_chunks_are_joined(coding):
    chunks = b"5\r\n" + BODY[:5] + b"\r\nE ignored\r\n" + BODY[5:] + b"\r\n0\r\nT: 1\r\n\r\n"
    data = post(b"Transfer-Encoding:" + coding + b"\r\n", chunks)
    assert [request.body for request in parse(data + post())] == [BODY, BODY]
    assert [request.body for request in parse(data.replace(b"\r\n", b"\n"))] == [BODY]


def test_pieces_of_any_size_parse_equally():
    chunked = post(b"Transfer-Encoding: chunked\r\n", b"13\r\n" + BODY + b"\r\n0\r\n\r\n")
    data = post() + chunked + b"GET /x HTTP/1.1\r\nA: 1\r\n 2\r\n\r\n"
    whole = parse(data)
    assert len(whole) == 3
    for size in (1, 2, 3, 7, 50):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert parse(*pieces) == whole


@pytest.mark.parametrize(
    "data",
    [
        b"\r\nGET / HTTP/1.1\r\n\r\n",
        b"GET /\r\n",
        b"GET /a b HTTP/1.1\r\n",
        b"GET / HTTP/2.0\r\n",
        b"GET / HTTP/1.1 \r\n",
        b"GET / HTTP/1\r\n",
        b"GET / http/1.1\r\n",
        b"\x16\x03\x01\x02\n",
        b"GET /\0 HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \0\r\n\r\n",
        post(b"Content-Length: -1\r\n"),
        post(b"Content-Length: 1x\r\n"),
        post(b"Content-Length: 0x1\r\n"),
        post(b"Content-Length:\r\n"),
        post(b"Content-Length: 19, 19\r\n"),
        post(b"Content-Length: " + b"9" * 5000 + b"\r\n"),
    ],
)
def test_malformed_request_is_rejected(data):
    assert error_status(data) == 400


@pytest.mark.parametrize(
    "headers",
    [
        LENGTH + b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked, gzip\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding:\r\n",
        b"Content-Length : 19\r\n",
        b"Transfer-Encoding : chunked\r\n",
        LENGTH + b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
    ],
)
def test_ambiguous_length_is_rejected(headers):
    assert error_status(post(headers)) == 400


@pytest.mark.parametrize("verb", [b"POST", b"PUT", b"PATCH"])
def test_body_without_length_cannot_keep_the_connection(verb):
    def request(headers):
        return verb + b" / HTTP/1.1\r\n" + headers + b"\r\n"

    assert error_status(request(b"Connection: keep-alive\r\n")) == 400
    assert error_status(request(b"Connection: Upgrade\r\n")) == 400
    assert parse_one(request(b"Connection: Close\r\n")).body == b""
    assert parse_one(request(b"")).body == b""
    assert parse_one(b"GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n").body == b""


def test_equal_lengths_are_not_ambiguous():
    assert parse_one(post(LENGTH * 2)).body == BODY


@pytest.mark.parametrize(
    "chunks", [b"zz\r\n", b"-5\r\n", b"5;a=b\r\n", b"0x5\r\n", b" 5\r\n", b"f" * 16 + b"\r\n"]
)
def test_malformed_chunk_gets_status_413(chunks):
    assert error_status(post(b"Transfer-Encoding: chunked\r\n", chunks)) == 413


def test_size_of_the_head_is_limited(monkeypatch):
    monkeypatch.setattr(request_parser, "MAX_HEAD_BYTES", 100)
    assert parse_one(b"GET / HTTP/1.1\r\nA: " + b"a" * 90 + b"\r\n\r\n")
    assert error_status(b"GET /" + b"a" * 100) == 400
    assert error_status(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 30) == 400
    chunked = post(b"Transfer-Encoding: chunked\r\n", b"")
    assert error_status(chunked + b"1" * 101) == 413
    assert error_status(chunked + b"0\r\n" + b"A: b\r\n" * 30) == 413


def wants_continue(value, version=b"1.1", body=b""):
    parser = RequestParser()
    parser.feed(post(LENGTH + b"Expect: " + value + b"\r\n", body, version))
    parser.next_request()
    return parser.wants_continue


def test_expect_header():
    assert wants_continue(b"100-Continue")
    assert not wants_continue(b"100-continue", version=b"1.0")
    assert not wants_continue(b"100-continue", body=BODY)
    assert not wants_continue(b"100-continue", body=BODY[:1])
    assert error_status(post(LENGTH + b"Expect: magic\r\n")) == 417
    parser = RequestParser()
    parser.feed(b"GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n")
    assert parser.next_request()
    assert not parser.wants_continue


def test_absolute_target_is_for_a_proxy():
    assert parse_one(b"GET http://x/v1 HTTP/1.1\r\n\r\n").via_proxy
    assert not parse_one(b"GET /http://x HTTP/1.1\r\n\r\n").via_proxy
    assert not parse_one(b"GET http:/v1 HTTP/1.1\r\n\r\n").via_proxy


def test_parser_is_idle_between_requests():
    parser = RequestParser()
    assert parser.idle
    for piece in (b"P", b"OST / HTTP/1.1\r\n", LENGTH, b"\r\n", BODY[:5]):
        parser.feed(piece)
        assert parser.next_request() is None
        assert not parser.idle
    parser.feed(BODY[5:])
    assert parser.next_request()
    assert parser.next_request() is None
    assert parser.idle


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nA: 1\r\n" + b" 2\r\n" * 200_000 + b"\r\n",
        b"GET / HTTP/1.1\r\n" + b"A:\r\n" * 200_000 + b"\r\n",
        post(b"Transfer-Encoding: chunked\r\n", b"1\r\nx\r\n" * 200_000 + b"0\r\n\r\n"),
        b"a" * (1 << 20),
    ],
    ids=["folds", "headers", "chunks", "line"],
)
def test_parsing_time_is_linear(data):
    started = time.process_time()
    parse(*(data[at : at + 4096] for at in range(0, len(data), 4096)))
    assert time.process_time() - started < 5
