"""Certificates as `make certs` makes them, in a test's own folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import certs as tool
import seq2sum
import tls_files as made_of

NAMES = ["ca.key", "ca.pem", "client.key", "client.pem", "server.key", "server.pem", "ssl.config"]


def certs(folder: Path, *options: str) -> int:
    """Runs the tool in this process; its exit code."""
    return tool.main(["--out", str(folder), *options])


def made(folder: Path, *options: str) -> Path:
    """The folder, with a set in it."""
    assert certs(folder, *options) == 0
    return folder


def expired(source: Path, folder: Path, which: str) -> Path:
    """A set like another one, in which a certificate has run out ten days ago."""
    then = made_of.Validity(datetime.now(UTC) - timedelta(days=20), days=10)
    tool.publish(made_of.renewed(made_of.read(source), [which], then, None).files(), folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def identity(folder: Path) -> dict[str, Path]:
    """A client's files, for the SDK."""
    return {"certificate": folder / "client.pem", "key": folder / "client.key"}


def tls(trusted: Path, client: Path | None = None) -> seq2sum.TLS:
    """What a client is given, who trusts one set and is of another."""
    return seq2sum.TLS(ca=trusted / "ca.pem", **(identity(client) if client else {}))


def options(trusted: Path, client: Path | None = None) -> list[str]:
    """The same for commands."""
    given = tls(trusted, client)
    found = {"--ca": given.ca, "--cert": given.certificate, "--key": given.key}
    return [str(part) for name, path in found.items() if path for part in (name, path)]
