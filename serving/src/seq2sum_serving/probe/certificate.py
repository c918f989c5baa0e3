"""Reads the certificate that a server presents.

The certificate is not verified here, so that the expiry date of an invalid one can be reported too.
The probe's calls do verify it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

import seq2sum
from cryptography import x509

from seq2sum_serving.deployment.targets import split_address
from seq2sum_serving.probe.observation import Certificate

HTTP2 = "h2"
"""The ALPN protocol of gRPC: its servers abort a handshake that does not offer it."""


def read_certificate(target: str, tls: seq2sum.TLS, remaining: Callable[[], float]) -> Certificate:
    """Returns the certificate that a server presents, or the reason why it could not be read.

    Args:
        target: The server's gRPC address.
        tls: The client's certificate, if it has one, and the server name to request.
        remaining: Returns the seconds that the next step may take.
    """
    try:
        certificate = x509.load_der_x509_certificate(_handshake(target, tls, remaining))
        return Certificate(certificate.not_valid_after_utc.timestamp())
    except (OSError, ValueError) as error:
        return Certificate(None, f"{target} presents no certificate: {error}")


def _handshake(target: str, tls: seq2sum.TLS, remaining: Callable[[], float]) -> bytes:
    host, port = split_address(target)
    host = host.strip("[]")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([HTTP2])
    if tls.certificate is not None:
        # A password prompt would block the probe: an encrypted key is an error.
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    with socket.create_connection((host, port), timeout=remaining()) as plain:
        plain.settimeout(remaining())
        with context.wrap_socket(plain, server_hostname=tls.server_name or host) as encrypted:
            return encrypted.getpeercert(binary_form=True) or b""
