"""HTTP proxies in the environment: errors name the variable, and their advice works."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager

import grpc
import pytest
import seq2sum
from seq2sum._command import main
from seq2sum._proxy import Proxy, direct_options, proxy_of
from seq2sum._target import address
from support import doc_snippets, servers

ONCE = seq2sum.Retry(max_attempts=1)
PROXY = "http://127.0.0.1:{port}"


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch):
    for name in list(os.environ):
        if "proxy" in name.lower():
            monkeypatch.delenv(name)


class FakeProxy:
    """Refuses every connection, and records the requests."""

    def __init__(self, reply=b"HTTP/1.1 403 Forbidden\r\n\r\n"):
        self._reply = reply
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.requests = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        kept = []
        while True:
            connection, _ = self._listening.accept()
            if not (request := connection.recv(1000)):
                break
            self.requests.append(request.split(b"\r\n")[0].decode())
            if self._reply is None:
                kept.append(connection)
            else:
                with connection:
                    connection.sendall(self._reply)
        connection.close()
        for each in kept:
            each.close()

    def close(self):
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listening.close()


@contextmanager
def running_proxy(**options):
    proxy = FakeProxy(**options)
    try:
        yield proxy
    finally:
        proxy.close()


@pytest.fixture
def proxy():
    with running_proxy() as proxy:
        yield proxy


TWO_ADDRESSES = ["127.0.0.1:{free}", "127.0.0.2:{free}"]
PROXY_CASES = [
    # target, environment, whether gRPC uses the proxy
    ("localhost:{free}", {"grpc_proxy": PROXY}, True),
    ("localhost:{free}", {"https_proxy": PROXY}, True),
    ("localhost:{free}", {"http_proxy": PROXY}, True),
    ("localhost:{free}", {"http_proxy": "HTTP://user:word@127.0.0.1:{port}/path"}, True),
    ("localhost:{free}", {"GRPC_PROXY": PROXY, "HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY}, False),
    ("localhost:{free}", {"all_proxy": PROXY, "ALL_PROXY": PROXY}, False),
    ("localhost:{free}", {"grpc_proxy": "", "http_proxy": PROXY}, False),
    ("localhost:{free}", {"http_proxy": "127.0.0.1:{port}"}, False),
    ("localhost:{free}", {"http_proxy": "https://127.0.0.1:{port}"}, False),
    ("localhost:{free}", {"https_proxy": "socks5://127.0.0.1:1", "http_proxy": PROXY}, False),
    ("localhost:{free}", {"http_proxy": PROXY, "no_proxy": "LOCALHOST"}, False),
    ("localhost:{free}", {"http_proxy": PROXY, "no_proxy": "x, .localhost ,"}, False),
    ("localhost:{free}", {"http_proxy": PROXY, "no_proxy": "127.0.0.1,*"}, True),
    ("localhost:{free}", {"http_proxy": PROXY, "no_proxy": "localhost:{free}"}, True),
    ("localhost:{free}", {"http_proxy": PROXY, "NO_PROXY": "localhost"}, True),
    (
        "localhost:{free}",
        {"http_proxy": PROXY, "no_grpc_proxy": "", "no_proxy": "localhost"},
        True,
    ),
    (
        "localhost:{free}",
        {"http_proxy": PROXY, "no_grpc_proxy": "localhost", "no_proxy": ""},
        False,
    ),
    ("127.0.0.1:{free}", {"http_proxy": PROXY, "no_proxy": "127.0.0.0/8"}, False),
    ("127.0.0.1:{free}", {"http_proxy": PROXY, "no_proxy": "10.0.0.0/8,127.0.0.1/x"}, True),
    ("dns:localhost:{free}", {"http_proxy": PROXY}, True),
    ("dns:///localhost:{free}", {"http_proxy": PROXY}, True),
    ("dns:///localhost:{free}", {"http_proxy": PROXY, "no_proxy": "localhost"}, False),
    ("ipv4:127.0.0.1:{free}", {"http_proxy": PROXY}, True),
    ("ipv4:127.0.0.1:{free}", {"http_proxy": PROXY, "no_proxy": "127.0.0.1"}, False),
    ("[::1]:{free}", {"http_proxy": PROXY}, True),
    ("[::1]:{free}", {"http_proxy": PROXY, "no_proxy": "::1"}, False),
    ("ipv6:[::1]:{free}", {"http_proxy": PROXY, "no_proxy": "::/64"}, False),
    ("unix:/nowhere/server.sock", {"http_proxy": PROXY}, False),
    ("unix-abstract:nowhere", {"http_proxy": PROXY}, True),
    (TWO_ADDRESSES, {"http_proxy": PROXY}, True),
    (TWO_ADDRESSES, {"http_proxy": PROXY, "no_proxy": "127.0.0.1"}, True),
    (
        TWO_ADDRESSES,
        {"http_proxy": PROXY, "no_proxy": "127.0.0.1,127.0.0.2"},
        False,
    ),
    (TWO_ADDRESSES, {"http_proxy": PROXY, "no_proxy": "127.0.0.0/8"}, False),
    (["[::1]:{free}", "[::1]:1"], {"http_proxy": PROXY, "no_proxy": "::1"}, False),
]  # fmt: skip


@pytest.mark.parametrize(("target", "environment", "used"), PROXY_CASES)
def test_error_names_the_proxy_if_and_only_if_grpc_uses_it(
    make_client, monkeypatch, proxy, target, environment, used
):
    free = servers.free_port()
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(port=proxy.port, free=free))
    many = isinstance(target, list)
    target = [each.format(free=free) for each in target] if many else target.format(free=free)
    with pytest.raises(seq2sum.Unavailable) as failed:
        make_client(target, retry=ONCE).add("1+1")
    assert bool(proxy.requests) == used
    message = str(failed.value)
    assert ("calls go through the proxy" in message) == used
    assert ("no_grpc_proxy" in message) == used
    if used:
        [name] = [name for name in environment if "no_" not in name.lower()]
        assert f"calls go through the proxy 127.0.0.1:{proxy.port} because {name} is set" in message
    assert "word" not in message


@pytest.mark.parametrize("variable", ["grpc_proxy", "https_proxy", "http_proxy"])
@pytest.mark.parametrize(
    "form", ["{}", "dns:///{}", "ipv4:{}", ["{}"], ["{}", "127.0.0.2:1"]], ids=str
)
def test_no_grpc_proxy_as_advised_connects_directly(make_client, monkeypatch, fake, variable, form):
    unused = servers.free_port()
    monkeypatch.setenv(variable, f"http://127.0.0.1:{unused}")
    many = isinstance(form, list)
    target = [each.format(fake.target) for each in form] if many else form.format(fake.target)
    with pytest.raises(seq2sum.Unavailable) as failed:
        make_client(target, retry=ONCE).add("1+1")
    advice = "127.0.0.1,127.0.0.2" if "127.0.0.2:1" in form else "127.0.0.1"
    assert f"; to connect directly, set no_grpc_proxy={advice} (" in failed.value.details
    monkeypatch.setenv("no_grpc_proxy", advice)
    assert make_client(target).add("1+1").value == 2


def test_proxy_that_never_replies_is_named_too(make_client, monkeypatch):
    with running_proxy(reply=None) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(seq2sum.DeadlineExceeded, match=r"set no_grpc_proxy=127\.0\.0\.1"):
            make_client("127.0.0.1:1", timeout=1).add("1+1")


def test_wait_until_available_names_the_proxy(make_client, monkeypatch, proxy):
    monkeypatch.setenv("https_proxy", PROXY.format(port=proxy.port))
    with pytest.raises(seq2sum.DeadlineExceeded, match="last status: calls go through the proxy"):
        make_client("localhost:1", retry=ONCE).wait_until_available(timeout=0.5)


def test_command_gives_no_other_advice(monkeypatch, proxy, capsys):
    monkeypatch.setenv("http_proxy", PROXY.format(port=proxy.port))
    assert main(["status", "--target", "localhost:1"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "set no_grpc_proxy=localhost" in err
    assert "is a server running" not in err


def test_other_failure_does_not_name_the_proxy(make_client, monkeypatch, fake):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    fake.fail(grpc.StatusCode.UNAVAILABLE, "because")
    with pytest.raises(seq2sum.Unavailable) as failed:
        make_client(fake.target, retry=ONCE).add("1+1")
    assert failed.value.details == "because"


def test_channel_options_override_the_environment(make_client, monkeypatch, fake, proxy):
    option = (("grpc.http_proxy", PROXY.format(port=proxy.port)),)
    with pytest.raises(seq2sum.Unavailable, match=r"proxy .* of the channel option grpc\."):
        make_client(fake.target, retry=ONCE, channel_options=option).add("1+1")
    monkeypatch.setenv("http_proxy", PROXY.format(port=proxy.port))
    off = (("grpc.enable_http_proxy", 0),)
    assert make_client(fake.target, channel_options=off).add("1+1").value == 2
    assert (
        make_client(fake.target, channel_options=(("grpc.http_proxy", ""),)).add("1+1").value == 2
    )


def test_environment_is_read_at_the_first_call(make_client, monkeypatch, fake):
    client = make_client(fake.target, retry=ONCE)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{servers.free_port()}")
    with pytest.raises(seq2sum.Unavailable, match="http_proxy is set"):
        client.add("1+1")
    monkeypatch.delenv("http_proxy")
    with pytest.raises(seq2sum.Unavailable, match="http_proxy is set"):
        client.add("1+1")


def test_readme_shows_the_hint():
    hint = Proxy("http_proxy", "proxy.example:3128", ("10.0.0.1",)).hint()
    assert f"```text\n{hint} (...)\n```" in doc_snippets.text("docs/client.md")


def test_invalid_proxies_in_the_environment_are_ignored():
    for url in ("", " ", "http://", "http://[", "://", "http", "http:///path", "\ud800"):
        assert proxy_of("localhost:1", (), {"http_proxy": url}) is None
    for listed in ("", ",", " , ", "[", "/", "1.2.3.4/", "\ud800"):
        environment = {"http_proxy": "http://a:1", "no_proxy": listed}
        assert proxy_of("localhost:1", (), environment) is not None
        assert direct_options(address(["127.0.0.1:1", "127.0.0.1:2"]), environment) == ()
