"""Command-line options for connections to replicas: plaintext, TLS or mTLS."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from seq2sum_serving.deployment.errors import UsageError

if TYPE_CHECKING:
    import seq2sum


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds these options to a parser."""
    tls = parser.add_argument_group("encryption")
    tls.add_argument("--tls", action="store_true", help="TLS with gRPC's default root certificates")
    tls.add_argument("--ca", type=Path, metavar="FILE", help="root certificates for the servers")
    tls.add_argument("--cert", type=Path, metavar="FILE", help="client certificate (mTLS)")
    tls.add_argument("--key", type=Path, metavar="FILE", help="private key of --cert")
    tls.add_argument("--server-name", metavar="NAME", help="name in the servers' certificate")


def tls_from_options(options: argparse.Namespace) -> seq2sum.TLS | None:
    """Returns the TLS settings of the options; None for plaintext.

    Raises:
        UsageError: A file cannot be read or is not valid, or only one of --cert and --key is given.
    """
    import seq2sum  # imports gRPC too, which `--help` does not need

    files = {"ca": options.ca, "certificate": options.cert, "key": options.key}
    if not options.tls and options.server_name is None and not any(files.values()):
        return None
    if (options.cert is None) != (options.key is None):
        raise UsageError(
            "a client certificate and its key belong together: give both --cert and --key"
        )
    try:
        tls = seq2sum.TLS(**files, server_name=options.server_name)
        tls.credentials()
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(str(error)) from error
    return tls
