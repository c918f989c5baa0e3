"""Invalid TLS configurations."""

from __future__ import annotations

import pytest
from seq2sum_serving.configuration.ssl_pb2 import SSLConfig
from seq2sum_serving.embedded.errors import StartupError
from seq2sum_serving.embedded.rpc.credentials import credentials
from support.certificates import Certificates


def key_and_certificate(authority):
    """A server's key and certificate chain, as PEM text."""
    issued = authority.issue_cert("127.0.0.1")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    return issued.private_key_pem.bytes().decode(), chain.decode()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"client_verify": True}, "client_verify needs custom_ca"),
        ({"server_key": ""}, "server_key and server_cert must both be set"),
        ({"server_cert": "/etc/cert.pem"}, "must hold PEM text, not paths"),
        ({"server_key": "key of another certificate"}, "the key must match the certificate"),
        ({"client_verify": True, "custom_ca": "/etc/ca.pem"}, "must hold PEM text, not paths"),
    ],
)
def test_credentials_error_names_the_invalid_field(tmp_path, changes, message):
    authorities = Certificates(tmp_path).authorities
    key, certificate = key_and_certificate(authorities["ours"])
    credentials(SSLConfig(server_key=key, server_cert=certificate))
    if changes.get("server_key"):
        changes = {"server_key": key_and_certificate(authorities["other"])[0]}
    config = SSLConfig(**{"server_key": key, "server_cert": certificate} | changes)
    with pytest.raises(StartupError, match=message):
        credentials(config)
