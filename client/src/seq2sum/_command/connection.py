"""The client with the options of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from seq2sum._channel import TLS
from seq2sum._command.errors import UsageError
from seq2sum._model_client import ModelClient
from seq2sum._options import CallOptions
from seq2sum._split import Split
from seq2sum._split_file import SplitFile

ClientType = TypeVar("ClientType", bound=ModelClient)


@contextmanager
def connect(options: argparse.Namespace, kind: type[ClientType]) -> Iterator[ClientType]:
    """Yields a client of this class, which has read all its files but opened no connection.

    The client is closed at the end, but not after an interrupt: see `exit_codes._exit_now`.

    Raises:
        UsageError: An option is invalid, or names a file that cannot be used.
    """
    tls, token = _tls(options), _token(options.token_file)
    if token is not None and tls is None:
        raise UsageError("--token-file needs --tls: without it, the token is sent in plain text")
    try:
        client = kind(
            options.target,
            model=options.model,
            timeout=options.timeout,
            max_in_flight=options.max_in_flight,
            split=_split(options.split),
            tls=tls,
            token=token,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    try:
        yield client
    except Exception:
        client.close()
        raise
    client.close()


def call_options(options: argparse.Namespace) -> CallOptions:
    """Returns the options that select a version or a label."""
    selected: CallOptions = {}
    if options.version is not None:
        selected["version"] = options.version
    if options.label is not None:
        selected["label"] = options.label
    return selected


def _split(argument: Split | Path | None) -> Split | SplitFile | None:
    return SplitFile(argument) if isinstance(argument, Path) else argument


def _tls(options: argparse.Namespace) -> TLS | None:
    if bool(options.cert) != bool(options.key):
        raise UsageError("a client certificate and its key belong together: give --cert and --key")
    files = {"ca": options.ca, "certificate": options.cert, "key": options.key}
    if not options.tls and options.server_name is None and not any(files.values()):
        return None
    try:
        tls = TLS(**files, server_name=options.server_name)
        tls.credentials()
    except ValueError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from error
    return tls


def _token(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        token = Path(path).read_bytes().decode("ascii").strip()
    except OSError as error:
        raise UsageError(f"cannot read --token-file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"invalid --token-file {path}: expected plain ASCII text") from error
    if not token or not token.isprintable() or " " in token:
        raise UsageError(f"invalid --token-file {path}: expected one word")
    return token
