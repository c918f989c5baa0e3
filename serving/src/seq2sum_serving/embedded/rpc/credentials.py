"""TLS from an SSLConfig."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc

from seq2sum_serving.configuration.ssl_pb2 import SSLConfig
from seq2sum_serving.embedded.errors import Code, StartupError


def credentials(config: SSLConfig) -> grpc.ServerCredentials:
    """A server's credentials; clients must show a certificate if `client_verify` is set.

    Raises:
        StartupError: The PEM texts are none, or do not belong together.
    """
    if config.client_verify and not config.custom_ca:
        raise _wrong("client_verify needs custom_ca: who signs the certificates of clients")
    if not config.server_key or not config.server_cert:
        raise _wrong("server_key and server_cert must both be there, as PEM text")
    made = grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )
    _try(made)
    return made


def _try(made: grpc.ServerCredentials) -> None:
    """Opens a port with them: only then does gRPC look at what they are made of."""
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        try:
            server.add_secure_port("127.0.0.1:0", made)
        except RuntimeError as error:
            raise _wrong(
                "server_key, server_cert and custom_ca must hold PEM text, not paths, and the key "
                "must be that of the certificate"
            ) from error
        finally:
            server.stop(None)


def _wrong(text: str) -> StartupError:
    return StartupError(Code.INVALID_ARGUMENT, f"--ssl_config_file: {text}")
