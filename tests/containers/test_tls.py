"""The profile `tls`: certificates of `make certs`, callers without one, and a renewal."""

from __future__ import annotations

import socket
import ssl

import pytest
import seq2sum
from containers import hardening
from containers.run import WAIT_SECONDS, CommandFailed
from deploy import tls_sets

HOST, PORT = "localhost", 8530


@pytest.fixture(scope="module")
def certificates(filled_project):
    """The folder of certificates, created after an attempt without them."""
    folder = filled_project.folder / "certs"
    with pytest.raises(CommandFailed, match=r"certs/ssl\.config"):
        filled_project.up("serving-tls", profile="tls")
    assert not folder.exists(), "the engine created a folder instead of reporting a missing file"
    tls_sets.create(folder)
    filled_project.give_to_operator()
    return folder


@pytest.fixture(scope="module")
def project(filled_project, certificates):  # noqa: ARG001
    filled_project.up("serving-tls", profile="tls")
    return filled_project


def client(certificates, **options):
    return seq2sum.Client(f"{HOST}:{PORT}", tls=tls_sets.tls(certificates, certificates), **options)


def serial_number(certificates):
    """Returns the serial number of the server's certificate."""
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "client.pem", certificates / "client.key")
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((HOST, PORT), timeout=10) as connection,
        context.wrap_socket(connection, server_hostname=HOST) as encrypted,
    ):
        return encrypted.getpeercert()["serialNumber"]


def test_a_client_with_a_certificate_gets_answers(project, certificates):  # noqa: ARG001
    with client(certificates) as trusted:
        assert trusted.add("53+42").value == 95


@pytest.mark.parametrize("tls", [False, True], ids=["plain text", "without a certificate"])
def test_other_clients_are_rejected(project, certificates, tls):  # noqa: ARG001
    options = {"tls": tls_sets.tls(certificates)} if tls else {}
    with (
        seq2sum.Client(f"{HOST}:{PORT}", timeout=10, **options) as stranger,
        pytest.raises(seq2sum.Unavailable),
    ):
        stranger.add("53+42")


def test_the_container_is_hardened(project):
    hardening.check(project, "serving-tls")


def test_a_renewed_certificate_is_served_and_trusted(project, certificates):
    before = serial_number(certificates)
    with client(certificates) as connected:
        connected.add("1+2")
        assert tls_sets.certs(certificates, "--renew", "server") == 0
        project.give_to_operator()
        project.up("serving-tls", profile="tls", options=("--force-recreate", "--no-deps"))
        connected.wait_until_available(timeout=WAIT_SECONDS)
        assert connected.add("53+42").value == 95
    assert serial_number(certificates) != before
