"""Sets of certificates as `make certs` creates them, in temporary folders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import certs as tool
import seq2sum
import tls_files

NAMES = ["ca.key", "ca.pem", "client.key", "client.pem", "server.key", "server.pem", "ssl.config"]


def certs(folder: Path, *options: str) -> int:
    """Runs tools/certs.py in this process, and returns its exit code."""
    return tool.main(["--out", str(folder), *options])


def create(folder: Path, *options: str) -> Path:
    """Creates a set in a folder, and returns the folder."""
    assert certs(folder, *options) == 0
    return folder


def create_expired(source: Path, folder: Path, which: str) -> Path:
    """Creates a copy of a set in which one certificate expired ten days ago."""
    validity = tls_files.Validity(datetime.now(UTC) - timedelta(days=20), days=10)
    expired = tls_files.renewed(tls_files.read(source), [which], validity, None)
    tool.publish(expired.files(), folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Returns the content of every file by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def tls(trusted: Path, client: Path | None = None) -> seq2sum.TLS:
    """Returns the settings of a client that trusts one set and has the certificate of another."""
    files = {"certificate": client / "client.pem", "key": client / "client.key"} if client else {}
    return seq2sum.TLS(ca=trusted / "ca.pem", **files)


def options(trusted: Path, client: Path | None = None) -> list[str]:
    """Returns command-line options with the settings that `tls` returns."""
    settings = tls(trusted, client)
    found = {"--ca": settings.ca, "--cert": settings.certificate, "--key": settings.key}
    return [str(part) for name, path in found.items() if path for part in (name, path)]
