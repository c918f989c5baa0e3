"""Targets: all of gRPC's syntax is accepted, and typos are refused before a call."""

from __future__ import annotations

import numpy as np
import pytest
import seq2sum
from seq2sum._command import main
from seq2sum._target import address, default_authority, hosts
from support.both_clients import KINDS

GOOD = {
    "höst.example:1": ("höst.example",),
    "under_score.example.:1": ("under_score.example.",),
    "localhost:8500": ("localhost",),
    "localhost": ("localhost",),
    "host.example.:1": ("host.example.",),
    "under_score-1:65535": ("under_score-1",),
    "127.0.0.1:8500": ("127.0.0.1",),
    "[::1]:8500": ("::1",),
    "[::1]": ("::1",),
    "[fe80::1%eth0]:8500": ("fe80::1%eth0",),
    "dns:host:1": ("host",),
    "dns:///host:1": ("host",),
    "DNS:///host:1": ("host",),
    "dns:///[::1]:8500": ("::1",),
    "dns:///%5B::1%5D:8500": ("::1",),
    "dns://8.8.8.8/host:1": ("host",),
    "dns://127.0.0.1:53/host:1": ("host",),
    "ipv4:10.0.0.1:1": ("10.0.0.1",),
    "ipv4:10.0.0.1:1,10.0.0.2:2": ("10.0.0.1", "10.0.0.2"),
    "ipv6:[::1]:1,[::2]:2": ("::1", "::2"),
    "ipv6:%5B::1%5D:1": ("::1",),
    "unix:/run/server.sock": (),
    "unix:relative.sock": (),
    "unix:///run/server.sock": (),
    "unix-abstract:name": ("name",),
    "xds:///service": ("service",),
}
BAD = {
    "localhost:99999": "port '99999' is not a number from 1 to 65535",
    "localhost:65536": "port '65536'",
    "localhost:0": "port '0'",
    "localhost:-1": "port '-1'",
    "localhost:+1": "port",
    "localhost:": "port ''",
    "localhost:http": "port 'http'",
    "localhost:0x10": "port",
    "localhost:1_0": "port",
    "localhost:٨": "port",
    "localhost:8500/": "port '8500/'",
    "localhost:" + "9" * 5000: "port",
    "": "expected HOST:PORT",
    " ": "expected HOST:PORT",
    " localhost:1": "without blanks",
    "localhost: 1": "without blanks",
    "localhost:1\n": "without blanks",
    "local\0host:1": "without blanks",
    ":8500": "the host is missing",
    ":": "the host is missing",
    "8500": "'8500' is not a host name",
    "dns:8500": "'8500' is not a host name",
    "::1:8500": r"in brackets, like \[::1\]:8500",
    "::1": "in brackets",
    "[::1": "in brackets|not a host name",
    "[]:1": "not a host name|the host is missing|in brackets",
    "[localhost]:1": "'localhost' is not an IPv6 address",
    "[127.0.0.1]:1": "is not an IPv6 address",
    "[::1]8500": "in brackets",
    "[::1]:99999": "port '99999'",
    "http://localhost:8500": "gRPC has no scheme 'http'; write HOST:PORT",
    "grpc://localhost:8500": "gRPC has no scheme 'grpc'",
    "user@host:1": "not a host name",
    "host/path:1": "not a host name",
    "host;8500": "not a host name",
    "host\N{FULLWIDTH COLON}8500": "not a host name",
    "*:8500": "not a host name",
    "h%6Fst:8500": "not a host name",
    '"host":8500': "not a host name",
    "10.0.0.1:1,10.0.0.2:2": "give several addresses as a list",
    "dns://host:8500": r"expected dns:///HOST:PORT",
    "dns:///": "the host is missing",
    "dns:///:1": "the host is missing",
    "dns:///host:99999": "port '99999'",
    "dns://8.8.8.8/host:0": "port '0'",
    "dns:///a:1,b:2": "give several addresses as a list",
    "ipv4:10.0.0.1": "expected IP:PORT",
    "ipv4:10.0.0.1:99999": "port '99999'",
    "ipv4:10.0.0.1:1,10.0.0.2:0": "port '0'",
    "ipv4:localhost:1": "expected IP:PORT",
    "ipv4:[::1]:1": "expected IP:PORT",
    "ipv4:": "the host is missing",
    "ipv6:10.0.0.1:1": "expected IP:PORT",
    "ipv6:::1:1": "in brackets",
    "unix:": "expected a path after unix:",
}
BAD_LISTS = {
    "none": ([], "expected one or more addresses"),
    "a port too large": (["127.0.0.1:99999"], "port '99999'"),
    "port 0": (["127.0.0.1:1", "127.0.0.1:0"], "port '0'"),
    "no port": (["127.0.0.1"], "expected IP:PORT"),
    "a name": (["127.0.0.1:1", "host:1"], "invalid address 'host:1'"),
    "both kinds": (["127.0.0.1:1", "[::1]:1"], "all IPv4 or all IPv6"),
    "no brackets": (["::1:8500"], "in brackets"),
    "brackets around IPv4": (["[127.0.0.1]:1"], "is not an IPv6 address"),
    "a blank": (["127.0.0.1:1", " 127.0.0.1:2"], "without blanks"),
    "an underscore": (["127.0.0.1:8_500"], "port '8_500'"),
    "an empty one": (["127.0.0.1:1", ""], "the host is missing"),
    "several addresses in one string": (["127.0.0.1:1,127.0.0.1:2"], "in brackets|port"),
}
NOT_TEXT = [None, 8500, b"localhost:1", bytearray(b"localhost:1"), ["127.0.0.1:1", None], [b"a"]]


@pytest.mark.parametrize("target", GOOD)
def test_targets_in_grpc_syntax_are_unchanged(target):
    assert address(target) == target
    assert hosts(target) == GOOD[target]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["127.0.0.1:1"], "ipv4:127.0.0.1:1"),
        (("localhost:1", "10.0.0.1:2"), "ipv4:127.0.0.1:1,10.0.0.1:2"),
        (["[::1]:1", "[::2]:2"], "ipv6:[::1]:1,[::2]:2"),
        (["[fe80::1%eth0]:1"], "ipv6:[fe80::1%25eth0]:1"),
        (np.array(["10.0.0.1:1"]), "ipv4:10.0.0.1:1"),
    ],
)
def test_list_becomes_one_target(given, expected):
    assert address(given) == expected
    assert address(expected) == expected


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("target", BAD, ids=lambda text: repr(text)[:40])
def test_invalid_target_is_refused_before_any_call(kind, target):
    with pytest.raises(ValueError, match=BAD[target]):
        kind(target)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(("given", "named"), BAD_LISTS.values(), ids=BAD_LISTS)
def test_list_with_an_invalid_address_is_refused(kind, given, named):
    with pytest.raises(ValueError, match=named):
        kind(given)


@pytest.mark.parametrize("given", NOT_TEXT, ids=repr)
def test_target_must_be_text(given):
    with pytest.raises(TypeError, match=r"^invalid (target|address) .+: expected "):
        seq2sum.Client(given)


@pytest.mark.parametrize("target", ["localhost:99999", ":1", "http://localhost:1", "dns://a:1"])
def test_command_refuses_an_invalid_target_in_one_line(target, capsys):
    assert main(["status", "--target", target]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("seq2sum: invalid target ")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("ipv4:10.0.0.1:8500,10.0.0.2:8500", "10.0.0.1:8500"),
        ("ipv6:[fe80::1%25eth0]:8500,[::2]:8500", "[fe80::1]:8500"),
        ("ipv4:10.0.0.1:8500", None),
        ("dns:///host:8500", None),
        ("unix:/tmp/a,b", None),
        ("localhost:8500", None),
    ],
)
def test_several_addresses_have_the_first_as_authority(target, expected):
    assert default_authority(target) == expected
