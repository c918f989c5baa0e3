"""Mutual TLS with the files of `make certs`: accepted and rejected clients, and rotation."""

from __future__ import annotations

import contextlib
import io
import shutil
import threading
import time
from collections import Counter
from dataclasses import replace

import grpc
import pytest
import seq2sum
from deploy.tls_errors import TLS_ERRORS
from deploy.tls_sets import certs, create, create_expired, options, tls
from seq2sum._command import main as seq2sum_command
from seq2sum.testing import FakeServer
from seq2sum_serving.probe.cli import main as seq2sum_probe
from support import servers
from support.caller_threads import CallerThreads
from support.deployed import POLLING, Deployed

pytestmark = pytest.mark.embedded
"""The servers need `--ssl_config_file`, which SEQ2SUM_SERVER_COMMAND may not pass on."""
NO_RETRY = seq2sum.Retry(max_attempts=1)
TIMEOUT = 90
"""Seconds, for a busy machine; a wait usually takes one or two."""


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Sets of certificates: of two authorities, for another host name, and expired."""
    folder = tmp_path_factory.mktemp("sets")
    ours = create(folder / "ours")
    create(folder / "other")
    create(folder / "elsewhere", "--host", "sums.example")
    for which in ("server", "client"):
        create_expired(ours, folder / f"expired-{which}", which)
    return folder


def with_tls(folder):
    return f"--ssl_config_file={folder / 'ssl.config'}"


@pytest.fixture(scope="module")
def deployed(sets, tiny_version, tmp_path_factory):
    """A server that requires a certificate of our authority; version 1 is stable."""
    with Deployed(tmp_path_factory.mktemp("deployed"), tiny_version) as deployed:
        deployed.start(POLLING, with_tls(sets / "ours"))
        result = deployed.rollout("promote", "1", *options(sets / "ours", sets / "ours"))
        assert result.code == 0, result.text
        yield deployed


def run(command, *arguments):
    """Runs a command in this process; returns its exit code and its output."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = command([*map(str, arguments)])
    return code, output.getvalue()


def test_every_command_supports_mutual_tls(deployed, sets, tiny_version):
    ours, target = sets / "ours", deployed.targets
    files = options(ours, ours)
    with seq2sum.Client(target, tls=tls(ours, ours)) as client:
        assert client.add("3+4", label="stable").version == 1
        publish, promote = ["publish", tiny_version], ["promote", "2", "--without-gates"]
        for line in (publish, promote):
            result = deployed.rollout(*line, *files)
            assert result.code == 0, result.text
        assert client.add("3+4", label="stable").version == 2
        assert client.add("3+4", label="previous").version == 1

    line = ["add", "3+4", "--label", "stable", "--target", target, *files]
    code, output = run(seq2sum_command, *line)
    assert (code, output.startswith("3+4 = 7  (confidence ")) == (0, True), output
    result = deployed.rollout("status", *files)
    assert (result.code, "drift none" in result.text) == (0, True), result.text
    line = ["--once", "--config", deployed.config, "--targets", target, *files]
    code, output = run(seq2sum_probe, *line)
    assert code == 0, output


def credentials(folder):
    """The credentials of a server with the PEM files of a set."""
    key, chain, ca = (
        (folder / name).read_bytes() for name in ("server.key", "server.pem", "ca.pem")
    )
    return grpc.ssl_server_credentials([(key, chain)], ca, require_client_auth=True)


@pytest.fixture(scope="module")
def target(deployed, sets):
    """Returns the target of a server with the certificate of a set."""
    with contextlib.ExitStack() as stack:
        targets = {"ours": deployed.targets}
        for name in ("expired-server", "elsewhere", "plain"):
            server = FakeServer(credentials=None if name == "plain" else credentials(sets / name))
            targets[name] = stack.enter_context(server).target
        yield targets.__getitem__


@pytest.mark.parametrize("error", TLS_ERRORS.values(), ids=TLS_ERRORS)
def test_a_failed_connection_is_explained(deployed, sets, target, error):
    server = target(error.server)
    client = sets / error.client if error.client else None
    message = error.message.replace("{client.pem}", str(sets / error.client / "client.pem"))
    settings = tls(sets / error.trusted, client) if error.trusted else None
    files = options(sets / error.trusted, client) if error.trusted else []

    with (
        seq2sum.Client(server, tls=settings, retry=NO_RETRY) as client,
        pytest.raises(seq2sum.Unavailable) as caught,
    ):
        client.add("3+4")
    assert str(caught.value).startswith(message)

    code, output = run(seq2sum_command, "add", "3+4", "--target", server, *files)
    assert (code, output.count("\n")) == (1, 1)
    assert output.startswith(f"seq2sum: {message}")

    status = deployed.rollout("status", *files, targets=server)
    assert status.code == 1
    # Without spaces, since tables wrap text anywhere.
    expected = "".join(f"{server} does not answer: UNAVAILABLE {message}".split())
    assert expected in "".join(status.out.split())


@pytest.fixture
def start_replica(tiny_version, tmp_path):
    """Starts or restarts a server by its number, which is also its version."""
    running = {}

    def start(number, folder):
        base = tmp_path / f"replica-{number}"
        if number not in running:
            shutil.copytree(tiny_version, base / str(number))
        port = running[number].port if number in running else None
        running[number] = servers.Server.launch(
            base, tmp_path, flags=[with_tls(folder)], port=port, forked=True
        )
        return running[number].wait_until_open()

    yield start
    for server in running.values():
        server.stop()


class Callers(CallerThreads):
    """Makes calls in threads, with a client that can be replaced."""

    PAUSE = 0.02

    def __init__(self, connect):
        super().__init__()
        self._connect = connect
        self._clients = [connect()]
        self._lock = threading.Lock()
        self._answers = Counter()
        self.failures = []

    def functions(self):
        return [self._call] * 2

    def close(self):
        for client in self._clients:
            client.close()

    def reconnect(self):
        """Replaces the client by one that reads the files again; calls in flight complete."""
        self._clients.append(self._connect())

    def until_answered_by(self, *versions, calls=5):
        """Waits until each version has answered further calls."""
        before, deadline = self._answers.copy(), time.monotonic() + TIMEOUT
        while not all(self._answers[each] >= before[each] + calls for each in versions):
            assert time.monotonic() < deadline, f"{self._answers - before}; {self.failures[-3:]}"
            time.sleep(0.01)

    def _call(self):
        while not self.over.wait(self.PAUSE):
            try:
                answer = self._clients[-1].add("3+4")
                failure = "" if answer.value == 7 else f"3+4 = {answer.text}"
            except seq2sum.Seq2SumError as error:
                failure = str(error)
            with self._lock:
                if failure:
                    self.failures.append(failure)
                else:
                    self._answers[answer.version] += 1


def test_certificates_and_authorities_are_replaced_without_a_failed_call(start_replica, tmp_path):
    folder = create(tmp_path / "certs")
    running = {number: start_replica(number, folder) for number in (1, 2)}
    targets = [server.target for server in running.values()]

    def connect():
        # A target with several addresses has no host name to verify.
        settings = replace(tls(folder, folder), server_name="serving")
        # A restarted server is found at once; by default that takes up to two seconds.
        backoff = [("grpc.max_reconnect_backoff_ms", 200)]
        return seq2sum.Client(targets, tls=settings, timeout=TIMEOUT, channel_options=backoff)

    with Callers(connect) as callers:
        callers.until_answered_by(1, 2)
        first = (folder / "ca.pem").read_bytes()
        for step in (["--renew", "ca"], ["--renew", "server", "client"], ["--drop-old-ca"]):
            assert certs(folder, *step) == 0
            for number in (1, 2):
                # Killed with calls in flight, as the stock server is.
                running[number].process.kill()
                running[number].process.wait()
                callers.until_answered_by(3 - number)
                running[number] = start_replica(number, folder)
                callers.until_answered_by(number)
            callers.reconnect()
            callers.until_answered_by(1, 2)
    assert callers.failures == []
    assert first not in (folder / "ca.pem").read_bytes()
