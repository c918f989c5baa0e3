"""Certificates in both directions, with the very files of `make certs`: who is let in, what those
are told who are not, and how certificates and authorities change under traffic."""

from __future__ import annotations

import contextlib
import io
import shutil
from dataclasses import replace

import grpc
import pytest
import seq2sum
from deploy.tls_callers import LONGEST, Callers
from deploy.tls_refusals import REFUSALS
from deploy.tls_sets import certs, expired, made, options, tls
from seq2sum._command import main as seq2sum_command
from seq2sum.testing import FakeServer
from seq2sum_serving.probe.cli import main as seq2sum_probe
from support import broken_models, servers
from support.deployed import POLLING, Deployed

pytestmark = pytest.mark.embedded
"""The servers read ssl.config by a flag; another server's command may have none."""
ONCE = seq2sum.Retry(max_attempts=1)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Sets of files: of our authority, of another one, and such with something that has expired."""
    folder = tmp_path_factory.mktemp("sets")
    ours = made(folder / "ours")
    made(folder / "other")
    made(folder / "elsewhere", "--host", "sums.example")
    for which in ("server", "client"):
        expired(ours, folder / f"expired-{which}", which)
    return folder


@pytest.fixture(scope="module")
def version(small_version, tmp_path_factory):
    """A version without warm-up, which loads in half the time. Do not change it."""
    folder = tmp_path_factory.mktemp("quick") / "version"
    return shutil.copytree(
        small_version, folder, ignore=shutil.ignore_patterns(broken_models.WARM_UP)
    )


def with_tls(folder):
    return f"--ssl_config_file={folder / 'ssl.config'}"


@pytest.fixture(scope="module")
def deployed(sets, version, tmp_path_factory):
    """A server that wants a certificate of our authority; version 1 is stable."""
    with Deployed(tmp_path_factory.mktemp("deployed"), version) as deployed:
        deployed.start(POLLING, with_tls(sets / "ours"))
        told = deployed.rollout("promote", "1", *options(sets / "ours", sets / "ours"))
        assert told.code == 0, told.text
        yield deployed


def squeezed(text):
    """Without blanks: tables break texts anywhere."""
    return "".join(text.split())


def run(command, *arguments):
    """A command in this process: its exit code, and all that it says."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = command([*map(str, arguments)])
    return code, said.getvalue()


def test_every_command_works_with_certificates_in_both_directions(deployed, sets, version):
    ours, target = sets / "ours", deployed.targets
    mine = options(ours, ours)
    with seq2sum.Client(target, tls=tls(ours, ours)) as client:
        assert client.add("3+4", label="stable").version == 1

        # A label moves: the tool asks, and the server takes the file up.
        for line in (["publish", version], ["promote", "2", "--skip-gates"]):
            told = deployed.rollout(*line, *mine)
            assert told.code == 0, told.text
        assert client.add("3+4", label="stable").version == 2
        assert client.add("3+4", label="previous").version == 1

    code, said = run(seq2sum_command, "add", "3+4", "--label", "stable", "--target", target, *mine)
    assert (code, said.startswith("3+4 = 7  (confidence ")) == (0, True), said
    told = deployed.rollout("status", *mine)
    assert (told.code, "drift none" in told.text) == (0, True), told.text
    line = ["--once", "--config", deployed.config, "--targets", target, *mine]
    code, said = run(seq2sum_probe, *line)
    assert code == 0, said


def credentials(folder):
    """Of a server that uses the files one by one."""
    key, chain, ca = (
        (folder / name).read_bytes() for name in ("server.key", "server.pem", "ca.pem")
    )
    return grpc.ssl_server_credentials([(key, chain)], ca, require_client_auth=True)


@pytest.fixture(scope="module")
def target(deployed, sets):
    """Where a server with the files of a set is; ours is the embedded one."""
    with contextlib.ExitStack() as running:
        there = {"ours": deployed.targets}
        for name in ("expired-server", "elsewhere", "plain"):
            wanted = None if name == "plain" else credentials(sets / name)
            there[name] = running.enter_context(FakeServer(credentials=wanted)).target
        yield there.__getitem__


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_who_is_refused_is_told_why(deployed, sets, target, refusal):
    there = target(refusal.server)
    client = sets / refusal.client if refusal.client else None
    told = refusal.told.replace("{client.pem}", str(sets / refusal.client / "client.pem"))
    encryption = tls(sets / refusal.trusted, client) if refusal.trusted else None
    given = options(sets / refusal.trusted, client) if refusal.trusted else []

    with (
        seq2sum.Client(there, tls=encryption, retry=ONCE) as asking,
        pytest.raises(seq2sum.Unavailable) as caught,
    ):
        asking.add("3+4")
    assert str(caught.value).startswith(told)

    code, said = run(seq2sum_command, "add", "3+4", "--target", there, *given)
    assert (code, said.startswith(f"seq2sum: {told}"), said.count("\n")) == (1, True, 1), said

    status = deployed.rollout("status", *given, targets=there)
    assert status.code == 1
    assert squeezed(f"{there} does not answer: UNAVAILABLE {told}") in squeezed(status.out)


@pytest.fixture
def replicas(version, tmp_path):
    """Starts a server on a port, anew where there was one: by its number, which is its version."""
    running = {}

    def start(number, folder):
        base = tmp_path / f"replica-{number}"
        if number not in running:
            shutil.copytree(version, base / str(number))
        port = running[number].port if number in running else None
        running[number] = servers.Server.launch(
            base, tmp_path, flags=[with_tls(folder)], port=port, forked=True
        )
        return running[number].wait_until_open()

    yield start
    for server in running.values():
        server.stop()


def test_certificates_and_authorities_change_without_a_failed_call(replicas, tmp_path):
    folder = made(tmp_path / "certs")
    running = {number: replicas(number, folder) for number in (1, 2)}
    targets = [server.target for server in running.values()]

    def connect():
        # Several addresses have no name of their own to look for in certificates.
        mine = replace(tls(folder, folder), server_name="serving")
        # A server that is back is found at once: by default it takes up to two seconds.
        soon = [("grpc.max_reconnect_backoff_ms", 200)]
        return seq2sum.Client(targets, tls=mine, timeout=LONGEST, channel_options=soon)

    with Callers(connect) as callers:
        callers.until_answered_by(1, 2)
        first = (folder / "ca.pem").read_bytes()
        for step in (["--renew", "ca"], ["--renew", "server", "client"], ["--drop-old-ca"]):
            assert certs(folder, *step) == 0
            for number in (1, 2):
                # As the stock server ends: at once, with calls under way. The other one answers
                # meanwhile; it is its turn when callers have found this one again.
                running[number].process.kill()
                running[number].process.wait()
                callers.until_answered_by(3 - number)
                running[number] = replicas(number, folder)
                callers.until_answered_by(number)
            callers.connect_anew()
            callers.until_answered_by(1, 2)
    assert callers.failures == []
    assert first not in (folder / "ca.pem").read_bytes()
