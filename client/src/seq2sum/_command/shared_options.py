"""The options that subcommands share: the server, the model and TLS."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from seq2sum._base_client import DEFAULT_TARGET, DEFAULT_TIMEOUT, STREAM_MAX_IN_FLIGHT
from seq2sum._command import argument_types as types
from seq2sum.addition import contract

TARGET_VARIABLE = "SEQ2SUM_TARGET"
MODEL_VARIABLE = "SEQ2SUM_MODEL"


def shared_options(
    environment: Mapping[str, str], *, split: bool = False
) -> argparse.ArgumentParser:
    """Returns a parent parser with the options of every subcommand, and with --split if `split`."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.set_defaults(split=None)
    group = shared.add_argument_group("server")
    group.add_argument(
        "--target",
        type=types.target,
        default=environment.get(TARGET_VARIABLE) or DEFAULT_TARGET,
        metavar="HOST:PORT",
        help="gRPC address, or several IP:PORT with commas between, or dns:///NAME:PORT "
        f"(default: ${TARGET_VARIABLE}, or {DEFAULT_TARGET})",
    )
    group.add_argument(
        "--model",
        type=types.name,
        default=environment.get(MODEL_VARIABLE) or contract.MODEL_NAME,
        metavar="NAME",
        help="name of the model on the server "
        f"(default: ${MODEL_VARIABLE}, or {contract.MODEL_NAME})",
    )
    version = group.add_mutually_exclusive_group()
    version.add_argument(
        "--version", type=types.version, metavar="N", help="use this version instead of the latest"
    )
    version.add_argument(
        "--label", type=types.name, metavar="NAME", help="use the version with this label"
    )
    if split:
        version.add_argument(
            "--split",
            type=types.split,
            metavar="WEIGHTS",
            help="split the calls between labels, versions or targets: stable=95,canary=5, or the "
            'name of a file with {"stable": 95, "canary": 5}, which is read again when it changes',
        )
    group.add_argument(
        "--timeout",
        type=types.seconds,
        default=DEFAULT_TIMEOUT,
        metavar="SECONDS",
        help="deadline of each call (default: %(default)g)",
    )
    group.add_argument(
        "--max-in-flight",
        type=types.count,
        default=STREAM_MAX_IN_FLIGHT,
        metavar="N",
        help="maximum number of concurrent calls (default: %(default)s)",
    )
    group = shared.add_argument_group(
        "TLS (also enabled by --ca, --cert and --server-name; files are PEM)"
    )
    group.add_argument("--tls", action="store_true", help="use TLS")
    group.add_argument("--ca", metavar="FILE", help="trusted certificate authorities")
    group.add_argument("--cert", metavar="FILE", help="the client's certificate; needs --key")
    group.add_argument("--key", metavar="FILE", help="the private key of --cert")
    group.add_argument("--server-name", metavar="NAME", help="the name in the server's certificate")
    group.add_argument(
        "--token-file", metavar="FILE", help="send the token in this file; needs --tls"
    )
    return shared
