"""Metadata that gRPC would reject or drop is refused with a clear message before the call."""

from __future__ import annotations

import grpc
import pytest
import seq2sum
from hypothesis import given, settings
from hypothesis import strategies as st
from seq2sum._metadata import checked
from seq2sum.testing import FakeServer
from support.both_clients import KINDS

GOOD = [
    ("x-team", "sums"), ("x.y_z-0", "1"), ("authorization", "Bearer x"), ("x-empty", ""),
    ("x-blanks", " a  b "), ("x-bytes", b"plain"), ("x-raw-bin", b"\0\xff\n"), ("x-none-bin", b""),
    ("cookie", "a=b"), ("x-grpc-timeout", "1"),
]  # fmt: skip
WRONG_VALUE = {
    "capitals": (("X-Team", "1"), "invalid metadata key 'X-Team'.*; write 'x-team'"),
    "a blank": (("x team", "1"), "invalid metadata key 'x team'"),
    "an empty key": (("", "1"), "invalid metadata key ''"),
    "a colon": ((":path", "/x"), "invalid metadata key ':path'"),
    "a newline in the key": (("x-a\n", "1"), "invalid metadata key"),
    "a non-ASCII key": (("x-é", "1"), "invalid metadata key 'x-é'"),
    "non-ASCII capitals": (("X-É", "1"), "invalid metadata key 'X-É'"),
    "reserved": (("grpc-timeout", "1S"), "'grpc-timeout'.*reserved for gRPC"),
    "reserved capitals": (("Grpc-Timeout", "1S"), "'Grpc-Timeout'"),
    "reserved bytes": (("grpc-trace-bin", b"1"), "reserved for gRPC"),
    "content-type": (("content-type", "text/plain"), "gRPC sets it itself"),
    "user-agent": (("user-agent", "me"), "gRPC sets it itself"),
    "te": (("te", "x"), "gRPC sets it itself"),
    "connection": (("connection", "close"), "or HTTP/2 forbids it"),
    "a newline": (("x-a", "1\n2"), "invalid value of metadata key 'x-a'"),
    "a carriage return": (("x-a", "1\r\nx-b: 2"), "invalid value of metadata key 'x-a'"),
    "a tab": (("x-a", "1\t2"), "printable ASCII"),
    "a NUL": (("x-a", "\0"), "printable ASCII"),
    "DEL": (("x-a", "\x7f"), "printable ASCII"),
    "a non-ASCII value": (("x-a", "é"), 'printable ASCII.*ends in "-bin"'),
    "a surrogate": (("x-a", "\ud800"), "printable ASCII"),
    "other bytes": (("x-a", b"\xff"), "printable ASCII"),
    "a newline in bytes": (("x-a", b"\n"), "printable ASCII"),
}
WRONG_TYPE = {
    "text for bytes": ([("x-a-bin", "1")], "'x-a-bin': expected bytes, not str"),
    "a bytearray": ([("x-a-bin", bytearray(b"1"))], "expected bytes, not bytearray"),
    "a number": ([("x-a", 7)], "'x-a': expected str, not int"),
    "nothing": ([("x-a", None)], "expected str, not NoneType"),
    "a key of bytes": ([(b"x-a", "1")], "invalid metadata key b'x-a': expected str, not bytes"),
    "a dictionary": ({"x-a": "1"}, "of type dict: expected pairs"),
    "a text": ("ab", "of type str: expected pairs"),
    "one pair": (("x-a", "1"), "entry of type str: expected pairs"),
    "three": ([("x-a", "1", "2")], "expected pairs"),
    "a set": ([{"x-a", "1"}], "expected pairs"),
    "a number alone": (7, "of type int: expected pairs"),
}
METHODS = {
    "add": lambda client, options: client.add("1+1", **options),
    "add_many": lambda client, options: client.add_many(["1+1"], **options),
    "add_columns": lambda client, options: client.add_columns(["1+1"], **options),
    "add_stream": lambda client, options: list(client.add_stream(["1+1"], **options)),
    "explain": lambda client, options: client.explain("1+1", **options),
    "versions": lambda client, options: client.versions(**options),
    "describe": lambda client, options: client.describe(**options),
}


@pytest.fixture(scope="module")
def server():
    with FakeServer() as server:
        yield server


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request, server):
    server.calls.clear()
    return request.param


def sent(server):
    return [pair for pair in server.calls[-1].metadata if pair[0] != "user-agent"]


@pytest.mark.parametrize("metadata", [[pair] for pair in GOOD], ids=lambda made: made[0][0])
def test_valid_metadata_arrives_unchanged(kind, server, metadata):
    [(key, value)] = metadata
    expected = [(key, value.decode() if key == "x-bytes" else value)]
    with kind(server.target, metadata=metadata) as client:
        client.add("1+1")
        assert sent(server) == expected
        client.add("1+1", metadata=metadata)
        assert sent(server) == expected * 2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("pair", "named"), WRONG_VALUE.values(), ids=WRONG_VALUE)
def test_invalid_metadata_is_refused_before_the_call(kind, server, method, pair, named):
    with kind(server.target) as client, pytest.raises(ValueError, match=named):
        METHODS[method](client, {"metadata": [("x-good", "1"), pair]})
    assert not server.calls


@pytest.mark.parametrize(("metadata", "named"), WRONG_TYPE.values(), ids=WRONG_TYPE)
def test_metadata_of_wrong_type_is_refused_before_the_call(kind, server, metadata, named):
    with kind(server.target) as client, pytest.raises(TypeError, match=named):
        client.add("1+1", metadata=metadata)
    with pytest.raises(TypeError, match=named):
        kind(server.target, metadata=metadata)
    assert not server.calls


@pytest.mark.parametrize(("pair", "named"), WRONG_VALUE.values(), ids=WRONG_VALUE)
def test_invalid_metadata_of_the_client_is_refused_by_its_constructor(kind, server, pair, named):
    with pytest.raises(ValueError, match=named):
        kind(server.target, metadata=[pair])


@pytest.mark.parametrize("coalescing", [None, seq2sum.Coalescing()], ids=["alone", "coalesced"])
def test_invalid_metadata_of_a_function_is_refused_at_the_call(kind, server, coalescing):
    turns = iter([[("x-turn", "1")], [("X-Turn", "2")], {"x-turn": "3"}, [("x-turn", "4")]])
    with kind(server.target, metadata=lambda: next(turns), coalescing=coalescing) as client:
        assert client.add("1+1").value == 2
        with pytest.raises(ValueError, match="write 'x-turn'"):
            client.add("1+1")
        with pytest.raises(TypeError, match="of type dict"):
            client.add("1+1")
        assert client.add("1+1").value == 2
    assert [dict(call.metadata)["x-turn"] for call in server.calls] == ["1", "4"]


def test_invalid_metadata_of_one_caller_does_not_affect_others(kind, server):
    with kind(server.target, coalescing=seq2sum.Coalescing()) as client:
        for metadata in ([("X", "1")], [("x", "\n")]):
            with pytest.raises(ValueError, match="invalid"):
                client.add("1+1", metadata=metadata)
            assert client.add("1+1").value == 2


@pytest.mark.parametrize("token", ["two\nlines", "é", "\0", "\ud800"], ids=repr)
def test_invalid_token_is_refused_and_not_shown(kind, server, token):
    with pytest.raises(ValueError, match="invalid token") as refused:
        kind(server.target, tls=seq2sum.TLS(), token=token)
    assert token not in str(refused.value)
    with (
        kind(server.target, tls=seq2sum.TLS(), token=lambda: token) as client,
        pytest.raises(ValueError, match="invalid token"),
    ):
        client.add("1+1")


def test_token_must_be_text(kind, server):
    with pytest.raises(TypeError, match="invalid token of type bytes: expected str"):
        kind(server.target, tls=seq2sum.TLS(), token=b"secret")


def test_grpc_metadata_and_none_are_accepted(kind, server):
    with kind(server.target) as client:
        client.add("1+1", metadata=grpc.aio.Metadata(("x-a", "1")))
        assert sent(server) == [("x-a", "1")]
        client.add("1+1", metadata=None)
        client.add("1+1", metadata=())
        assert sent(server) == []


PAIRS = st.tuples(
    st.text("aB0-_.:\n é", max_size=4) | st.just("x-bin") | st.just("grpc-x"),
    st.text(st.characters(max_codepoint=0x100), max_size=4) | st.binary(max_size=4),
)


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=300)
@given(pairs=st.lists(PAIRS, max_size=2))
def test_grpc_sends_all_metadata_that_is_accepted(server, pairs):
    try:
        metadata = checked(pairs)
    except (ValueError, TypeError):
        return
    with seq2sum.Client(server.target) as client:
        client.versions(metadata=metadata)
    expected = [
        (key, value.decode() if isinstance(value, bytes) and not key.endswith("-bin") else value)
        for key, value in metadata
    ]
    assert sorted(sent(server), key=repr) == sorted(expected, key=repr)
