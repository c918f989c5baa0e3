"""The client that the command line asks for."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2sum._channel import TLS
from seq2sum._client import Client
from seq2sum._command.complaints import Mistake
from seq2sum._options import CallOptions
from seq2sum._split import Split
from seq2sum._split_file import SplitFile


@contextmanager
def connected(options: argparse.Namespace) -> Iterator[Client]:
    """The client; nothing is opened yet, but every file has been read.

    It is closed in the end, but not when the command is interrupted: see `endings`.

    Raises:
        Mistake: The options name what cannot be used, or do not go together.
    """
    try:
        client = Client(
            options.target,
            model=options.model,
            timeout=options.timeout,
            max_in_flight=options.in_flight,
            split=_split(options.split),
            tls=_tls(options),
            token=_token(options.token_file),
        )
    except ValueError as error:
        raise Mistake(_in_options(str(error))) from error
    try:
        yield client
    except Exception:
        client.close()
        raise
    client.close()


def asked(options: argparse.Namespace) -> CallOptions:
    """Which version is asked."""
    chosen: CallOptions = {}
    if options.version is not None:
        chosen["version"] = options.version
    if options.label is not None:
        chosen["label"] = options.label
    return chosen


def _split(told: Split | Path | None) -> Split | SplitFile | None:
    return SplitFile(told) if isinstance(told, Path) else told


def _tls(options: argparse.Namespace) -> TLS | None:
    files = {"ca": options.ca, "certificate": options.cert, "key": options.key}
    if not options.tls and options.server_name is None and not any(files.values()):
        return None
    tls = TLS(**files, server_name=options.server_name)
    try:
        tls.credentials()
    except OSError as error:
        raise Mistake(f"cannot read {error.filename}: {error.strerror}") from error
    return tls


def _token(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        token = Path(path).read_bytes().decode("ascii").strip()
    except OSError as error:
        raise Mistake(f"cannot read --token-file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Mistake(f"--token-file {path} holds no token: it is no plain text") from error
    if not token or not token.isprintable() or " " in token:
        raise Mistake(f"--token-file {path} holds no token: it should be one word")
    return token


def _in_options(text: str) -> str:
    """The client's words with the names that its keywords have here."""
    return text.replace("a token needs tls:", "--token-file needs --tls:").replace(
        "give both", "give both --cert and --key"
    )
