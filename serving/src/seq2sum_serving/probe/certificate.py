"""Until when the certificate of a server is valid.

It is read without being checked: an expired one is what somebody should hear of, and the calls of
the prober check it anyway.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

import seq2sum
from seq2sum import certificates

from seq2sum_serving.deployment.targets import split_address
from seq2sum_serving.probe.observation import Certificate

HTTP2 = "h2"
"""What gRPC speaks: its servers end a handshake that does not offer it."""


def shown(target: str, tls: seq2sum.TLS, left: Callable[[], float]) -> Certificate:
    """What a server shows.

    Args:
        target: Its gRPC address.
        tls: How it is asked: with the client's certificate, if there is one.
        left: The seconds that the next step may take.
    """
    try:
        return Certificate(certificates.not_after(_handshake(target, tls, left)).timestamp())
    except (OSError, ValueError) as error:
        return Certificate(None, f"{target} shows no certificate: {error}")


def _handshake(target: str, tls: seq2sum.TLS, left: Callable[[], float]) -> bytes:
    host, port = split_address(target)
    host = host.strip("[]")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([HTTP2])
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    with socket.create_connection((host, port), timeout=left()) as plain:
        plain.settimeout(left())
        with context.wrap_socket(plain, server_hostname=tls.server_name or host) as secure:
            return secure.getpeercert(binary_form=True) or b""
