"""TLS credentials from an SSLConfig."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc

from seq2sum_serving.configuration.ssl_pb2 import SSLConfig
from seq2sum_serving.embedded.errors import Code, StartupError


def credentials(config: SSLConfig) -> grpc.ServerCredentials:
    """Returns a server's credentials; with `client_verify`, clients must present a certificate.

    Raises:
        StartupError: A field is missing or not valid PEM text, or key and certificate do not match.
    """
    if config.client_verify and not config.custom_ca:
        raise _invalid("client_verify needs custom_ca, the CA of the clients' certificates")
    if not config.server_key or not config.server_cert:
        raise _invalid("server_key and server_cert must both be set, as PEM text")
    made = grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )
    _check(made)
    return made


def _check(made: grpc.ServerCredentials) -> None:
    """Opens a port with the credentials, since gRPC parses them only then."""
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        try:
            server.add_secure_port("127.0.0.1:0", made)
        except RuntimeError as error:
            raise _invalid(
                "server_key, server_cert and custom_ca must hold PEM text, not paths, and the key "
                "must match the certificate"
            ) from error
        finally:
            server.stop(None)


def _invalid(text: str) -> StartupError:
    return StartupError(Code.INVALID_ARGUMENT, f"--ssl_config_file: {text}")
