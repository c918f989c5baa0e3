"""The routes file of Envoy and its errors; tests/deploy/test_router.py has a real Envoy."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from seq2sum_serving.deployment import atomic_file
from seq2sum_serving.deployment.errors import Failed, Refused, UsageError
from seq2sum_serving.deployment.routers import envoy_routes
from seq2sum_serving.deployment.routers.envoy import EnvoyRouter
from seq2sum_serving.deployment.routers.router import Shares

VERSION, REJECTED = (
    f"http.router.rds.routes.{name}" for name in ("version_text", "update_rejected")
)
ADDRESS = "127.0.0.1:1"


class Envoy:
    """The part of Envoy's admin interface that the router asks."""

    def __init__(self, path):
        self.path = path
        self.is_stuck = False
        """Whether it keeps the routes that it has."""
        self.rejected = 0
        self.reply = None
        """The body of the reply, instead of that of Envoy; an integer is an HTTP status."""
        self.version = envoy_routes.DEFAULT_VERSION
        envoy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                reply = envoy.answer()
                self.send_response(reply if isinstance(reply, int) else 200)
                self.end_headers()
                self.wfile.write(b"" if isinstance(reply, int) else reply)

            def log_message(self, *_):
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def answer(self):
        if self.reply is not None:
            return self.reply
        if self.path.exists() and not self.is_stuck:
            self.version = json.loads(self.path.read_bytes())["version_info"]
        elif self.is_stuck and self.path.exists():
            self.rejected += 1
        values = [(VERSION, self.version), (REJECTED, self.rejected)]
        stats = [{"name": name, "value": value} for name, value in values]
        return json.dumps({"stats": [*stats, {"histograms": {}}]}).encode()

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.01,)).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "seq2sum.routes.json"


@pytest.fixture
def envoy(path):
    with Envoy(path) as envoy:
        yield envoy


@pytest.fixture
def router(path, envoy):
    return EnvoyRouter(path, envoy.address, timeout=0.3)


@pytest.mark.parametrize(
    "shares", [Shares(), Shares(100), Shares(0.0001), Shares(12.5, 5), Shares(0, 100)]
)
def test_read_returns_what_was_written(router, shares):
    router.write(shares)
    assert router.read() == shares
    router.check_in_force()


def test_without_a_file_the_stable_group_gets_everything(router):
    assert router.read() == Shares()
    router.check_in_force()
    router.check_writable()


def test_every_write_has_another_version(router, path):
    versions = set()
    for _ in range(3):
        router.write(Shares(1))
        versions.add(json.loads(path.read_bytes())["version_info"])
    assert len(versions) == 3


@pytest.mark.parametrize("share", [-1, 100.1, float("nan")])
@pytest.mark.parametrize("kind", ["candidate", "mirror"])
def test_a_share_that_is_not_a_percentage_is_an_error(share, kind):
    with pytest.raises(ValueError, match=r"invalid share .*: expected a percentage from 0 to 100"):
        envoy_routes.render(Shares(**{kind: share}))


def edited(change):
    """Returns the content of a file, edited as JSON."""
    file = json.loads(envoy_routes.render(Shares(10)))
    change(file)
    return json.dumps(file).encode()


def routes(file):
    return file["resources"][0]["virtual_hosts"][0]["routes"]


def set_weight(number, weight):
    def change(file):
        routes(file)[0]["route"]["weighted_clusters"]["clusters"][number]["weight"] = weight

    return change


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "truncated"),
        (b"\xff{}", "malformed"),
        (b"[]", "Expected `object`"),
        (b'{"added": ' + b"[" * 100_000, "recursion"),
        (b'{"stable": 95}', "version_info"),
        (edited(lambda file: file.update(resources=[])), "length >= 1"),
        (edited(lambda file: routes(file).clear()), "found 0 different"),
        (edited(set_weight(0, 5)), "sum 1000000, found 900005"),
        (edited(set_weight(0, -1)), "Expected `int` >= 0"),
        (edited(set_weight(0, "10")), "Expected `int`"),
        (edited(lambda file: routes(file).pop(0) and set_weight(0, 0)(file)), "found 900000"),
        (edited(lambda file: (set_weight(0, 0)(file), set_weight(1, 10**6)(file))), "2 different"),
    ],
)
def test_a_file_that_is_not_valid_is_an_error(router, path, content, reason):
    path.write_bytes(content)
    with pytest.raises(UsageError, match=rf"invalid routes {path}: .*{reason}.*: delete it"):
        router.read()


def test_a_file_that_cannot_be_read_is_an_error(router, path):
    path.mkdir()
    with pytest.raises(UsageError, match=f"cannot read the routes {path}: Is a directory"):
        router.read()


def test_files_of_other_releases_with_more_or_other_routes_are_read(router, path):
    def change(file):
        file["added"] = True
        routes(file).insert(0, {"match": {"prefix": "/new"}, "redirect": {"path_redirect": "/"}})
        routes(file)[1]["route"]["timeout"] = "5s"

    path.write_bytes(edited(change))
    assert router.read() == Shares(10)


def test_a_folder_that_is_not_writable_is_an_error(path, monkeypatch):
    router = EnvoyRouter(path.parent / "missing" / "routes.json", ADDRESS)
    message = r"cannot write the routes .*: No such file or directory\. They are unchanged"
    with pytest.raises(Failed, match=message):
        router.check_writable()
    with pytest.raises(Failed, match=message):
        router.write(Shares())
    monkeypatch.setattr(atomic_file, "PROJECTION_PREFIX", path.parent.name)
    with pytest.raises(Refused, match="part of a Kubernetes volume"):
        EnvoyRouter(path, ADDRESS).check_writable()


def test_check_writable_writes_nothing_and_asks_no_envoy(path):
    EnvoyRouter(path, ADDRESS).check_writable()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("admins", ["", "host", "host:0", "a:1,a:1", "dns:///name"])
def test_addresses_that_are_not_valid_are_an_error(path, admins):
    with pytest.raises(UsageError, match=f"invalid --envoy-admin '{admins}': expected host:port"):
        EnvoyRouter(path, admins)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (404, "HTTP status 404"),
        (b"", "not the JSON of Envoy"),
        (b"[]", "not the JSON of Envoy"),
        (b'{"stats": 1}', "not the JSON of Envoy"),
        (b'{"stats": [1]}', "not the JSON of Envoy"),
        (b'{"stats": []}', "no routes with the name 'routes'"),
        (b'{"stats": [{"name": "' + VERSION.encode() + b'", "value": ""}]}', "version none"),
    ],
)
def test_a_reply_that_is_not_of_an_envoy_with_these_routes_is_an_error(
    router, envoy, reply, reason
):
    envoy.reply = reply
    with pytest.raises(Failed, match=rf"5 % of the calls .* Envoy {envoy.address} .*{reason}"):
        router.write(Shares(5))
    assert router.read() == Shares(5), "what is in force where Envoy has the file"


def test_an_envoy_that_keeps_its_routes_is_an_error(router, envoy):
    router.write(Shares(5))
    before = envoy.version
    envoy.is_stuck = True
    envoy.rejected = 7  # earlier ones do not count
    reason = "rejected the file, for the reason in its log, and keeps version"
    with pytest.raises(Failed, match=f"Envoy {envoy.address} {reason} {before}"):
        EnvoyRouter(router.path, envoy.address, timeout=60).write(Shares())
    with pytest.raises(Failed, match=f"not in force: Envoy {envoy.address} still has .* {before}"):
        router.check_in_force()


def test_a_name_that_does_not_resolve_is_an_error(path):
    router = EnvoyRouter(path, "dns:///name.invalid:8511", timeout=0)
    with pytest.raises(Failed, match=r"not everywhere: dns:///name.invalid:8511 does not resolve"):
        router.write(Shares(5))


def test_proxies_of_the_environment_are_not_used(router, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    router.write(Shares(5))
