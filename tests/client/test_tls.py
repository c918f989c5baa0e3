"""TLS and mTLS with certificates of the test's own, and tokens."""

from __future__ import annotations

import pytest
import seq2sum
from seq2sum.testing import FakeServer
from support.certificates import EXPIRED, Certificates

ONCE = {"retry": seq2sum.Retry(attempts=1)}
NOT_TRUSTED = "the server's TLS certificate is of an authority not trusted here"
CLOSED = "the server closed the connection: "
JUNK = "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def serve():
    """Starts a server with these credentials."""
    started = []

    def start(credentials):
        server = FakeServer(credentials=credentials).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


def test_a_server_that_is_vouched_for_answers(certificates, serve, make_client):
    server = serve(certificates.of_server())
    client = make_client(server.target, tls=seq2sum.TLS(ca=certificates.ca))
    assert client.add("1+1").value == 2
    assert client.add_many(["1+1"])[0].value == 2


def test_so_does_one_that_asks_for_a_certificate(certificates, serve, make_client):
    server = serve(certificates.of_server(mutual=True))
    tls = seq2sum.TLS(ca=certificates.ca, **certificates.of_client())
    assert make_client(server.target, tls=tls).add("1+1").value == 2


def test_a_certificate_for_another_name_is_fine_if_the_name_is_told(
    certificates, serve, make_client
):
    server = serve(certificates.of_server("sums.example"))
    tls = seq2sum.TLS(ca=certificates.ca, server_name="sums.example")
    assert make_client(server.target, tls=tls).add("1+1").value == 2


def test_several_servers_share_a_name_in_their_certificates(certificates, serve, make_client):
    servers = [serve(certificates.of_server("sums.example")) for _ in range(2)]
    targets = [server.target for server in servers]
    tls = seq2sum.TLS(ca=certificates.ca, server_name="sums.example")
    assert make_client(targets, tls=tls).add("1+1").value == 2
    with pytest.raises(ValueError, match=r"^several addresses and tls need TLS\.server_name"):
        make_client(targets, tls=seq2sum.TLS(ca=certificates.ca))


def refused(client):
    with pytest.raises(seq2sum.Unavailable) as caught:
        client.add("1+1", version=3)
    assert f"{client_target(client)}, model seq2sum, version 3" in str(caught.value)
    return str(caught.value)


def client_target(client):
    return getattr(client, "client", client).target


def test_an_authority_that_does_not_vouch_for_it_is_told(certificates, serve, make_client):
    server = serve(certificates.of_server())
    told = refused(make_client(server.target, tls=seq2sum.TLS(ca=certificates.other_ca), **ONCE))
    assert "CERTIFICATE_VERIFY_FAILED" in told
    assert told.startswith(f"{NOT_TRUSTED}: see TLS.ca or --ca (")


def test_without_an_authority_the_worlds_own_are_trusted(certificates, serve, make_client):
    server = serve(certificates.of_server())
    assert NOT_TRUSTED in refused(make_client(server.target, tls=seq2sum.TLS(), **ONCE))


def test_a_certificate_that_has_expired_is_told(certificates, serve, make_client):
    server = serve(certificates.of_server(**EXPIRED))
    tls = seq2sum.TLS(ca=certificates.ca)
    told = refused(make_client(server.target, tls=tls, **ONCE))
    assert told.startswith("the server's TLS certificate has expired: it needs a new one (")


def test_a_certificate_for_another_name_is_told(certificates, serve, make_client):
    server = serve(certificates.of_server("sums.example"))
    told = refused(make_client(server.target, tls=seq2sum.TLS(ca=certificates.ca), **ONCE))
    assert told.startswith("the server's TLS certificate is for another name: see TLS.server_name")


def test_a_client_that_does_not_say_who_it_is_is_told(certificates, serve, make_client):
    server = serve(certificates.of_server(mutual=True))
    told = refused(make_client(server.target, tls=seq2sum.TLS(ca=certificates.ca), **ONCE))
    assert told.startswith(f"{CLOSED}it may want a certificate of the client: see TLS.certificate")


def test_a_client_that_the_server_does_not_know_is_told(certificates, serve, make_client):
    server, mine = serve(certificates.of_server(mutual=True)), certificates.of_client("other")
    told = refused(make_client(server.target, tls=seq2sum.TLS(ca=certificates.ca, **mine), **ONCE))
    assert told.startswith(
        f"{CLOSED}it may not trust the authority of the client's certificate {mine['certificate']},"
        " which is good until 3000-01-01"
    )


def test_a_client_whose_certificate_has_expired_is_told_when(certificates, serve, make_client):
    server, mine = serve(certificates.of_server(mutual=True)), certificates.of_client(**EXPIRED)
    told = refused(make_client(server.target, tls=seq2sum.TLS(ca=certificates.ca, **mine), **ONCE))
    assert told.startswith(
        f"{CLOSED}the client's certificate {mine['certificate']} has expired on 2021-01-01 00:00"
    )


def test_a_server_without_tls_is_told(fake, certificates, make_client):
    told = refused(make_client(fake.target, tls=seq2sum.TLS(ca=certificates.ca), **ONCE))
    assert told.startswith("the server does not speak TLS: ask without, or at another port (")


def test_a_client_without_tls_is_told(certificates, serve, make_client):
    server = serve(certificates.of_server())
    told = refused(make_client(server.target, **ONCE))
    assert told.startswith(f"{CLOSED}it may want TLS: see tls=TLS(ca=...) or --ca (")


def test_files_that_are_no_certificates_are_named(certificates, make_client):
    text, junk = certificates.file("text.pem", "hello"), certificates.file("junk.pem", JUNK)
    ours, other = certificates.of_client(), certificates.of_client("other")
    for tls, named, told in [
        ({"ca": text}, text, "is not a PEM file"),
        ({"ca": junk}, junk, "has no certificates"),
        ({**ours, "key": text}, text, "is not a PEM file"),
        ({**ours, "key": other["key"]}, other["key"], "are no certificate and its key"),
    ]:
        client = make_client("127.0.0.1:1", tls=seq2sum.TLS(**tls))
        with pytest.raises(ValueError, match=told) as caught:
            client.add("1+1")
        assert str(named) in str(caught.value)


def test_a_file_that_is_not_there_is_named(certificates, make_client):
    missing = certificates.folder / "missing.pem"
    client = make_client("127.0.0.1:1", tls=seq2sum.TLS(ca=missing))
    with pytest.raises(FileNotFoundError, match=r"missing\.pem"):
        client.add("1+1")


def test_half_of_an_identity_is_refused(certificates):
    for half in ("certificate", "key"):
        with pytest.raises(ValueError, match="give both"):
            seq2sum.TLS(**{half: certificates.of_client()[half]})


def authorization(server):
    return [dict(call.metadata).get("authorization") for call in server.calls]


def test_a_token_goes_with_each_call(certificates, serve, make_client):
    server = serve(certificates.of_server())
    tls = seq2sum.TLS(ca=certificates.ca)
    client = make_client(server.target, tls=tls, token="secret")
    client.add("1+1")
    client.versions()
    assert authorization(server) == ["Bearer secret"] * 2


def test_a_token_that_changes_is_asked_for_with_each_call(certificates, serve, make_client):
    server = serve(certificates.of_server())
    turns = iter(range(9))
    client = make_client(
        server.target, tls=seq2sum.TLS(ca=certificates.ca), token=lambda: f"t{next(turns)}"
    )
    client.add("1+1")
    client.add_many(["1+1"])
    assert authorization(server) == ["Bearer t0", "Bearer t1"]


@pytest.mark.parametrize("kind", [seq2sum.Client, seq2sum.AsyncClient])
def test_a_token_is_not_sent_in_the_open(kind):
    with pytest.raises(ValueError, match="a token needs tls"):
        kind("127.0.0.1:1", token="secret")
