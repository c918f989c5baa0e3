"""How the channel is made: where to, how encrypted, how retried, how kept alive.

Everything that gRPC does by itself is asked of gRPC: retries with their budget and load
balancing by service config, dead connections by keepalive. There is no loop of ours.
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

from seq2sum._numbers import LONGEST, real, seconds, whole
from seq2sum._proxy import Options, proxy_of
from seq2sum._refusal import Shown

RETRY_BUFFER = 4 << 20
"""Bytes of a request that gRPC keeps for a retry. Its own 256 kB is less than a large call."""
RESOLVE_AGAIN = 2000
"""Milliseconds between two DNS look-ups at least; gRPC's own 30 s leave a client with dead ones."""
MOST_ATTEMPTS = 5
"""gRPC makes no more, whatever it is told."""
SHORTEST_PAUSE = 0.01
"""Seconds. After pauses of a millisecond gRPC may hang until the deadline (its issue 41036)."""
FIRST_ABSENCE, LONGEST_ABSENCE = 200, 2000
"""Milliseconds between attempts to reach a server that is away. gRPC itself begins with a second
and goes up to two minutes, in which a server may have long been back."""
MOST_MILLISECONDS = 2**31 - 1
"""gRPC's numbers have 32 bits."""
PEM = b"-----BEGIN "

FilePath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class TLS:
    """Encryption: whom to trust, and who the client is. All files are PEM.

    Raises:
        ValueError: A certificate without its key, or a key without its certificate.
    """

    ca: FilePath | None = None
    """Certificates of the authorities that may vouch for the server; None for gRPC's own list."""
    certificate: FilePath | None = None
    """The client's certificate chain, where the server asks for one (mTLS)."""
    key: FilePath | None = None
    """The private key of that certificate."""
    server_name: str | None = None
    """The name in the server's certificate, where it is not that of the target: several addresses
    have none."""

    def __post_init__(self) -> None:
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("a client certificate and its key belong together: give both")

    def credentials(self) -> grpc.ChannelCredentials:
        """What gRPC needs; the files are read now.

        Raises:
            OSError: A file cannot be read.
            ValueError: A file is not PEM, or the key is not that of the certificate.
        """
        ca, key, certificate = map(_pem, (self.ca, self.key, self.certificate))
        self._check()
        return grpc.ssl_channel_credentials(ca, key, certificate)

    def _check(self) -> None:
        """Reads the files as gRPC will, which says nothing about what is wrong with them."""
        import ssl

        context, given = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ""
        try:
            if self.ca is not None:
                given = f"{os.fspath(self.ca)} has no certificates"
                context.load_verify_locations(self.ca)
            if self.certificate is not None:
                given = f"{self.certificate} and {self.key} are no certificate and its key"
                # A key that needs a password is refused, and not asked for at the terminal.
                context.load_cert_chain(self.certificate, self.key, password=lambda: "")
        except ssl.SSLError as error:
            raise ValueError(f"{given}: {error}") from error


def shown(tls: TLS | None, address: str, options: Options) -> Shown:
    """What servers get to see of the client, and the proxy in between.

    Read when the channel is opened: the certificate's file and the environment may change later.
    """
    proxy = proxy_of(address, options)
    if tls is None or tls.certificate is None or tls.key is None:
        return Shown(encrypted=tls is not None, proxy=proxy)
    from seq2sum import _client_certificate  # only then: `ssl` takes time to import

    ends = _client_certificate.expiry(tls.certificate, tls.key)
    return Shown(encrypted=True, certificate=os.fspath(tls.certificate), until=ends, proxy=proxy)


@dataclass(frozen=True, slots=True)
class Retry:
    """Retries of calls that found no server, by gRPC itself, within the call's deadline.

    Only UNAVAILABLE is asked again: the call did not happen. The budget keeps a fleet of
    clients from beating on servers that are down: every failed attempt takes one token, every
    success gives `refill` back, and there are no retries below half of the budget.

    Raises:
        ValueError: A value that gRPC would not take.
    """

    attempts: int = 4
    """Attempts a call, the first one included; 1 for no retries."""
    pause: float = 0.05
    """Seconds before the second attempt, about; each further one waits twice as long."""
    longest_pause: float = 1.0
    """Seconds between two attempts at most."""
    budget: int = 100
    """Tokens, 1 to 1000."""
    refill: float = 0.1
    """Tokens that a success gives back, 0.001 to 1000."""

    def __post_init__(self) -> None:
        values = {
            "attempts": whole("attempts", self.attempts, least=1, most=MOST_ATTEMPTS),
            "pause": seconds("pause", self.pause, least=SHORTEST_PAUSE, most=LONGEST),
            "longest_pause": seconds("longest_pause", self.longest_pause, most=LONGEST),
            "budget": whole("budget", self.budget, least=1, most=1000),
            "refill": real(
                "refill",
                self.refill,
                least=0.001,
                most=1000,
                expected="a number from 0.001 to 1000",
            ),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        if self.pause > self.longest_pause:
            raise ValueError(
                f"pauses grow from {self.pause} s and cannot end at {self.longest_pause}"
            )


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Pings while calls are in flight, so that a peer that vanished is noticed.

    Servers allow a ping every five minutes by default and count faster ones between frames of
    data as abuse; two are forgiven, and no call lasts for three of the default.

    Raises:
        ValueError: A time that gRPC would not take.
    """

    every: float = 60.0
    """Seconds between pings."""
    timeout: float = 10.0
    """Seconds to wait for an answer, and for bytes to be acknowledged at all."""

    def __post_init__(self) -> None:
        for name in ("every", "timeout"):
            value = seconds(name, getattr(self, name), least=0.001, most=MOST_MILLISECONDS // 1000)
            object.__setattr__(self, name, value)


def check_name(address: str, tls: TLS | None) -> None:
    """Makes sure that there is a name to look for in certificates.

    Raises:
        ValueError: For gRPC, several addresses together would be it, and no certificate has that.
    """
    if tls is not None and tls.server_name is None and "," in address:
        raise ValueError(
            "several addresses and tls need TLS.server_name (--server-name): "
            "a name that the certificate of each server has"
        )


def options(
    *, retry: Retry, keepalive: KeepAlive, tls: TLS | None, extra: Sequence[tuple[str, str | int]]
) -> Options:
    """The channel's options; `extra` comes last and wins."""
    chosen: dict[str, str | int] = {
        # Replies of any size, whatever a later version answers: gRPC stops at 4 MB by default.
        "grpc.max_receive_message_length": -1,
        "grpc.max_send_message_length": -1,
        "grpc.per_rpc_retry_buffer_size": RETRY_BUFFER,
        "grpc.dns_min_time_between_resolutions_ms": RESOLVE_AGAIN,
        "grpc.initial_reconnect_backoff_ms": FIRST_ABSENCE,
        "grpc.max_reconnect_backoff_ms": LONGEST_ABSENCE,
        "grpc.keepalive_time_ms": round(keepalive.every * 1000),
        # The first is for unacknowledged bytes; a ping has a limit of its own, 60 s by default.
        "grpc.keepalive_timeout_ms": round(keepalive.timeout * 1000),
        "grpc.http2.ping_timeout_ms": round(keepalive.timeout * 1000),
        # Ours counts: none that a DNS server hands out.
        "grpc.service_config_disable_resolution": 1,
        "grpc.service_config": service_config(retry),
        # Clients of one target in one process have a connection each, as they have a budget each.
        "grpc.use_local_subchannel_pool": 1,
    }
    if tls is not None and tls.server_name is not None:
        chosen["grpc.ssl_target_name_override"] = tls.server_name
        chosen["grpc.default_authority"] = tls.server_name
    return tuple((chosen | {name: _plain(value) for name, value in extra}).items())


def service_config(retry: Retry) -> str:
    """GRPC's own JSON for load balancing and retries (gRPC proposals A2 and A6)."""
    config: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if retry.attempts > 1:
        policy = {
            "maxAttempts": retry.attempts,
            "initialBackoff": f"{retry.pause:.3f}s",
            "maxBackoff": f"{retry.longest_pause:.3f}s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        config["methodConfig"] = [{"name": [{}], "retryPolicy": policy}]
        # As a decimal fraction: gRPC takes a whole number for nothing at all.
        refill = round(retry.refill, 3)
        config["retryThrottling"] = {"maxTokens": retry.budget, "tokenRatio": refill}
    return json.dumps(config)


def _plain(value: Any) -> Any:
    """A whole number as an int: gRPC takes no numpy scalar."""
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
