"""The options of a command line that say how replicas are reached: plain, by TLS, or by mTLS."""

from __future__ import annotations

import argparse
from pathlib import Path

import seq2sum

from seq2sum_serving.deployment.errors import UsageError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Gives a parser these options."""
    tls = parser.add_argument_group("encryption")
    tls.add_argument("--tls", action="store_true", help="with gRPC's own list of authorities")
    tls.add_argument("--ca", type=Path, metavar="FILE", help="authorities that vouch for servers")
    tls.add_argument("--cert", type=Path, metavar="FILE", help="this tool's certificate (mTLS)")
    tls.add_argument("--key", type=Path, metavar="FILE", help="its private key")
    tls.add_argument("--server-name", metavar="NAME", help="the name in the servers' certificate")


def tls_from_options(chosen: argparse.Namespace) -> seq2sum.TLS | None:
    """What the options come to; None for no encryption.

    Raises:
        UsageError: A file cannot be read or is not what it should be, or one is missing.
    """
    files = {"ca": chosen.ca, "certificate": chosen.cert, "key": chosen.key}
    if not chosen.tls and chosen.server_name is None and not any(files.values()):
        return None
    try:
        tls = seq2sum.TLS(**files, server_name=chosen.server_name)
        tls.credentials()
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(str(error).replace("give both", "give both --cert and --key")) from error
    return tls
