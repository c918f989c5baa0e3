"""The options of a gRPC channel: TLS, retries, keepalive and load balancing.

gRPC itself does the retries (with their token budget) and the load balancing, by service config,
and finds dead connections by keepalive.
"""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from seq2sum._connection_hints import ClientIdentity
from seq2sum._numbers import LONGEST, integer, real, seconds
from seq2sum._proxy import ChannelOptions, proxy_of

RETRY_BUFFER = 4 << 20
"""Bytes of a request that gRPC keeps for a retry; the default, 256 kB, is less than a bulk call."""
MIN_DNS_INTERVAL = 2000
"""Minimum milliseconds between DNS queries. gRPC's default, 30 s, keeps dead addresses too long."""
MAX_ATTEMPTS = 5
"""gRPC's limit for `maxAttempts` (proposal A6)."""
SHORTEST_BACKOFF = 0.01
"""Seconds. With a backoff of a millisecond gRPC may hang until the deadline (grpc issue 41036)."""
INITIAL_RECONNECT, MAX_RECONNECT = 200, 2000
"""Milliseconds between attempts to connect. gRPC's defaults are one second at first and up to two
minutes, long after a server may be back."""
MOST_MILLISECONDS = 2**31 - 1
"""gRPC's integers have 32 bits."""
PEM = b"-----BEGIN "

FilePath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class TLS:
    """Files for encryption and authentication, all PEM.

    Raises:
        ValueError: A certificate without its key, or a key without its certificate.
    """

    ca: FilePath | None = None
    """Trusted certificate authorities; None for gRPC's own list."""
    certificate: FilePath | None = None
    """The client's certificate chain, for servers that require one (mTLS)."""
    key: FilePath | None = None
    """The private key of that certificate."""
    server_name: str | None = None
    """The name in the server's certificate, if it is not that of the target. Required for several
    addresses."""

    def __post_init__(self) -> None:
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("a client certificate and its key belong together: give both")

    def credentials(self) -> grpc.ChannelCredentials:
        """Reads the files and returns gRPC's credentials.

        Raises:
            OSError: A file cannot be read.
            ValueError: A file is not PEM, or the key does not belong to the certificate.
        """
        ca, key, certificate = map(_pem, (self.ca, self.key, self.certificate))
        self._check()
        return grpc.ssl_channel_credentials(ca, key, certificate)

    def _check(self) -> None:
        """Loads the files with `ssl`: gRPC does not report what is wrong with them."""
        import ssl

        context, problem = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ""
        try:
            if self.ca is not None:
                problem = f"{os.fspath(self.ca)} has no certificates"
                context.load_verify_locations(self.ca)
            if self.certificate is not None:
                problem = f"{self.certificate} and {self.key} are not a certificate and its key"
                # The callback keeps ssl from prompting for a password at the terminal.
                context.load_cert_chain(self.certificate, self.key, password=lambda: "")
        except ssl.SSLError as error:
            raise ValueError(f"{problem}: {error}") from error


def identity(tls: TLS | None, address: str, options: ChannelOptions) -> ClientIdentity:
    """Returns the credentials that the client presents to servers, and the proxy in between.

    Called when the channel is opened: the certificate file and the environment may change later.
    """
    proxy = proxy_of(address, options)
    if tls is None or tls.certificate is None or tls.key is None:
        return ClientIdentity(encrypted=tls is not None, proxy=proxy)
    from seq2sum import _client_certificate  # only then: `ssl` takes time to import

    expires_at = _client_certificate.expiry(tls.certificate, tls.key)
    certificate = os.fspath(tls.certificate)
    return ClientIdentity(True, certificate, expires_at=expires_at, proxy=proxy)


@dataclass(frozen=True, slots=True)
class Retry:
    """gRPC's retry policy, for calls that reach no server (gRPC proposal A6).

    Only UNAVAILABLE is retried, within the call's deadline: the server has not processed the call.
    Retry throttling protects servers that are down: a failed attempt takes one token, a success
    adds `token_ratio`, and while at most half of `max_tokens` are left, gRPC does not retry.

    Raises:
        ValueError: gRPC does not accept a value.
        TypeError: A value is not a number.
    """

    max_attempts: int = 4
    """Attempts per call, 1 to 5, including the first; 1 for no retries."""
    initial_backoff: float = 0.05
    """Seconds before the first retry, with jitter; doubled for each further one."""
    max_backoff: float = 1.0
    """Most seconds between two attempts."""
    max_tokens: int = 100
    """Tokens of the retry throttling, 1 to 1000."""
    token_ratio: float = 0.1
    """Tokens that a success adds, 0.001 to 1000."""

    def __post_init__(self) -> None:
        values = {
            "max_attempts": integer("max_attempts", self.max_attempts, least=1, most=MAX_ATTEMPTS),
            "initial_backoff": seconds(
                "initial_backoff", self.initial_backoff, least=SHORTEST_BACKOFF, most=LONGEST
            ),
            "max_backoff": seconds("max_backoff", self.max_backoff, most=LONGEST),
            "max_tokens": integer("max_tokens", self.max_tokens, least=1, most=1000),
            "token_ratio": real(
                "token_ratio",
                self.token_ratio,
                least=0.001,
                most=1000,
                expected="a number from 0.001 to 1000",
            ),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        if self.initial_backoff > self.max_backoff:
            raise ValueError(
                f"initial_backoff {self.initial_backoff} is longer than max_backoff "
                f"{self.max_backoff}"
            )


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """gRPC's keepalive pings while calls are in flight, which detect a peer that vanished.

    By default, servers allow one ping in five minutes, and close the connection if more than two
    come sooner without data between them. The default of `time` is long enough: no call waits for
    three of these intervals.

    Raises:
        ValueError: gRPC does not accept a value.
        TypeError: A value is not a number.
    """

    time: float = 60.0
    """Seconds between pings."""
    timeout: float = 10.0
    """Seconds to wait for a ping's reply, and for bytes to be acknowledged."""

    def __post_init__(self) -> None:
        for name in ("time", "timeout"):
            value = seconds(name, getattr(self, name), least=0.001, most=MOST_MILLISECONDS // 1000)
            object.__setattr__(self, name, value)


def check_server_name(address: str, tls: TLS | None) -> None:
    """Checks that there is one name to verify in the servers' certificates.

    Raises:
        ValueError: Several addresses without a server name: gRPC would verify the list as one name.
    """
    if tls is not None and tls.server_name is None and "," in address:
        raise ValueError(
            "several addresses and tls need TLS.server_name (--server-name): "
            "a name that the certificate of each server has"
        )


def options(
    *, retry: Retry, keepalive: KeepAlive, tls: TLS | None, extra: Sequence[tuple[str, str | int]]
) -> ChannelOptions:
    """Returns the channel's options, overridden by `extra`."""
    chosen: dict[str, str | int] = {
        # gRPC's default limit is 4 MB.
        "grpc.max_receive_message_length": -1,
        "grpc.max_send_message_length": -1,
        "grpc.per_rpc_retry_buffer_size": RETRY_BUFFER,
        "grpc.dns_min_time_between_resolutions_ms": MIN_DNS_INTERVAL,
        "grpc.initial_reconnect_backoff_ms": INITIAL_RECONNECT,
        "grpc.max_reconnect_backoff_ms": MAX_RECONNECT,
        "grpc.keepalive_time_ms": round(keepalive.time * 1000),
        # The first is for unacknowledged bytes; pings have a separate timeout, 60 s by default.
        "grpc.keepalive_timeout_ms": round(keepalive.timeout * 1000),
        "grpc.http2.ping_timeout_ms": round(keepalive.timeout * 1000),
        # Ignores service configs from DNS.
        "grpc.service_config_disable_resolution": 1,
        "grpc.service_config": service_config(retry),
        # Every client has its own connections, as it has its own retry tokens.
        "grpc.use_local_subchannel_pool": 1,
    }
    if tls is not None and tls.server_name is not None:
        chosen["grpc.ssl_target_name_override"] = tls.server_name
        chosen["grpc.default_authority"] = tls.server_name
    return tuple((chosen | {name: _plain(value) for name, value in extra}).items())


def service_config(retry: Retry) -> str:
    """Returns gRPC's service config: load balancing and retries (gRPC proposals A2 and A6)."""
    config: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if retry.max_attempts > 1:
        policy = {
            "maxAttempts": retry.max_attempts,
            "initialBackoff": f"{retry.initial_backoff:.3f}s",
            "maxBackoff": f"{retry.max_backoff:.3f}s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        config["methodConfig"] = [{"name": [{}], "retryPolicy": policy}]
        # A float: gRPC ignores an integer.
        ratio = round(retry.token_ratio, 3)
        config["retryThrottling"] = {"maxTokens": retry.max_tokens, "tokenRatio": ratio}
    return json.dumps(config)


def _plain(value: Any) -> Any:
    """Returns an integer of any type as an int: gRPC does not accept numpy scalars."""
    if isinstance(value, str | bytes | int) or not hasattr(value, "__index__"):
        return value
    return operator.index(value)


def _pem(path: FilePath | None) -> bytes | None:
    if path is None:
        return None
    content = Path(path).read_bytes()
    if PEM not in content:
        raise ValueError(f"{os.fspath(path)} is not a PEM file: it has no line {PEM.decode()}…")
    return content
