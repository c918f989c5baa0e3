"""TLS and mTLS with generated certificates, and tokens."""

from __future__ import annotations

import pytest
import seq2sum
from seq2sum.testing import FakeServer
from support.certificates import EXPIRED, Certificates

ONCE = {"retry": seq2sum.Retry(max_attempts=1)}
NOT_TRUSTED = "the server's TLS certificate is not signed by a trusted authority"
CLOSED = "the server closed the connection: "
JUNK = "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def serve():
    """Starts servers with given credentials."""
    started = []

    def start(credentials):
        server = FakeServer(credentials=credentials).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


def test_tls_with_a_trusted_server(certificates, serve, make_client):
    server = serve(certificates.of_server())
    client = make_client(server.target, tls=seq2sum.TLS(ca=certificates.ca))
    assert client.add("1+1").value == 2
    assert client.add_many(["1+1"])[0].value == 2


def test_mtls_with_a_client_certificate(certificates, serve, make_client):
    server = serve(certificates.of_server(mutual=True))
    tls = seq2sum.TLS(ca=certificates.ca, **certificates.of_client())
    assert make_client(server.target, tls=tls).add("1+1").value == 2


def test_server_name_overrides_the_targets_name(certificates, serve, make_client):
    server = serve(certificates.of_server("sums.example"))
    tls = seq2sum.TLS(ca=certificates.ca, server_name="sums.example")
    assert make_client(server.target, tls=tls).add("1+1").value == 2


def test_several_addresses_need_a_server_name(certificates, serve, make_client):
    servers = [serve(certificates.of_server("sums.example")) for _ in range(2)]
    targets = [server.target for server in servers]
    tls = seq2sum.TLS(ca=certificates.ca, server_name="sums.example")
    assert make_client(targets, tls=tls).add("1+1").value == 2
    with pytest.raises(ValueError, match=r"^several addresses and tls need TLS\.server_name"):
        make_client(targets, tls=seq2sum.TLS(ca=certificates.ca))


def error_of(client):
    with pytest.raises(seq2sum.Unavailable) as caught:
        client.add("1+1", version=3)
    assert f"{client_target(client)}, model seq2sum, version 3" in str(caught.value)
    return str(caught.value)


def client_target(client):
    return getattr(client, "client", client).target


def test_error_names_an_untrusted_authority(certificates, serve, make_client):
    server = serve(certificates.of_server())
    error = error_of(make_client(server.target, tls=seq2sum.TLS(ca=certificates.other_ca), **ONCE))
    assert "CERTIFICATE_VERIFY_FAILED" in error
    assert error.startswith(f"{NOT_TRUSTED}: see TLS.ca or --ca (")


def test_default_authorities_do_not_trust_a_private_certificate(certificates, serve, make_client):
    server = serve(certificates.of_server())
    assert NOT_TRUSTED in error_of(make_client(server.target, tls=seq2sum.TLS(), **ONCE))


def test_error_names_an_expired_server_certificate(certificates, serve, make_client):
    server = serve(certificates.of_server(**EXPIRED))
    tls = seq2sum.TLS(ca=certificates.ca)
    error = error_of(make_client(server.target, tls=tls, **ONCE))
    assert error.startswith("the server's TLS certificate has expired: it needs a new one (")


def test_error_names_a_certificate_for_another_name(certificates, serve, make_client):
    server = serve(certificates.of_server("sums.example"))
    error = error_of(make_client(server.target, tls=seq2sum.TLS(ca=certificates.ca), **ONCE))
    assert error.startswith("the server's TLS certificate is for another name: see TLS.server_name")


def test_error_names_a_missing_client_certificate(certificates, serve, make_client):
    server = serve(certificates.of_server(mutual=True))
    error = error_of(make_client(server.target, tls=seq2sum.TLS(ca=certificates.ca), **ONCE))
    assert error.startswith(f"{CLOSED}it may require a client certificate: see TLS.certificate")


def test_error_names_an_untrusted_client_certificate(certificates, serve, make_client):
    server, files = serve(certificates.of_server(mutual=True)), certificates.of_client("other")
    tls = seq2sum.TLS(ca=certificates.ca, **files)
    error = error_of(make_client(server.target, tls=tls, **ONCE))
    assert error.startswith(
        f"{CLOSED}it may not trust the authority of the client's certificate "
        f"{files['certificate']}, which is valid until 3000-01-01"
    )


def test_error_names_the_expiry_of_the_client_certificate(certificates, serve, make_client):
    server, files = serve(certificates.of_server(mutual=True)), certificates.of_client(**EXPIRED)
    tls = seq2sum.TLS(ca=certificates.ca, **files)
    error = error_of(make_client(server.target, tls=tls, **ONCE))
    assert error.startswith(
        f"{CLOSED}the client's certificate {files['certificate']} expired on 2021-01-01 00:00"
    )


def test_error_names_a_server_without_tls(fake, certificates, make_client):
    error = error_of(make_client(fake.target, tls=seq2sum.TLS(ca=certificates.ca), **ONCE))
    assert error.startswith("the server does not speak TLS: connect without it, or to another port")


def test_error_names_a_client_without_tls(certificates, serve, make_client):
    server = serve(certificates.of_server())
    error = error_of(make_client(server.target, **ONCE))
    assert error.startswith(f"{CLOSED}it may require TLS: see tls=TLS(ca=...) or --ca (")


def test_invalid_certificate_files_are_named(certificates, make_client):
    text, junk = certificates.file("text.pem", "hello"), certificates.file("junk.pem", JUNK)
    ours, other = certificates.of_client(), certificates.of_client("other")
    for tls, named, error in [
        ({"ca": text}, text, "is not a PEM file"),
        ({"ca": junk}, junk, "has no certificates"),
        ({**ours, "key": text}, text, "is not a PEM file"),
        ({**ours, "key": other["key"]}, other["key"], "are not a certificate and its key"),
    ]:
        client = make_client("127.0.0.1:1", tls=seq2sum.TLS(**tls))
        with pytest.raises(ValueError, match=error) as caught:
            client.add("1+1")
        assert str(named) in str(caught.value)


def test_missing_certificate_file_is_named(certificates, make_client):
    missing = certificates.folder / "missing.pem"
    client = make_client("127.0.0.1:1", tls=seq2sum.TLS(ca=missing))
    with pytest.raises(FileNotFoundError, match=r"missing\.pem"):
        client.add("1+1")


def test_certificate_without_key_is_refused(certificates):
    for half in ("certificate", "key"):
        with pytest.raises(ValueError, match="give both"):
            seq2sum.TLS(**{half: certificates.of_client()[half]})


def authorization(server):
    return [dict(call.metadata).get("authorization") for call in server.calls]


def test_token_is_sent_with_each_call(certificates, serve, make_client):
    server = serve(certificates.of_server())
    tls = seq2sum.TLS(ca=certificates.ca)
    client = make_client(server.target, tls=tls, token="secret")
    client.add("1+1")
    client.versions()
    assert authorization(server) == ["Bearer secret"] * 2


def test_token_function_is_called_for_each_call(certificates, serve, make_client):
    server = serve(certificates.of_server())
    turns = iter(range(9))
    client = make_client(
        server.target, tls=seq2sum.TLS(ca=certificates.ca), token=lambda: f"t{next(turns)}"
    )
    client.add("1+1")
    client.add_many(["1+1"])
    assert authorization(server) == ["Bearer t0", "Bearer t1"]


@pytest.mark.parametrize("kind", [seq2sum.Client, seq2sum.AsyncClient])
def test_token_without_tls_is_refused(kind):
    with pytest.raises(ValueError, match="a token needs tls"):
        kind("127.0.0.1:1", token="secret")
