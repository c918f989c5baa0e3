"""The set of files of `make certs`: their contents, and renewal of parts of the set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from authority import (
    Identity,
    Validity,
    create_authority,
    hosts_of,
    issue_client,
    issue_server,
    pem,
)
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOSTS = (
    "localhost", "127.0.0.1", "::1",
    "serving", "serving-tls", "replica", "embedded", "seq2sum-serving",
)  # fmt: skip
"""The host names of this machine and of the services in docker-compose.yml and Kubernetes."""
NAMES = frozenset(
    ("ca.pem", "ca.key", "server.pem", "server.key", "client.pem", "client.key", "ssl.config")
)


class Refused(Exception):
    """The request is invalid; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """The certificates and keys of a folder."""

    authority: Identity
    older: tuple[x509.Certificate, ...]
    """Previous authorities, which are still trusted but no longer used."""
    server: Identity
    client: Identity

    def files(self) -> dict[str, bytes]:
        """Returns the content of each file by name."""
        trusted = b"".join([self.authority.certificate_pem, *map(pem, self.older)])
        return {
            "ca.pem": trusted,
            "ca.key": self.authority.key_pem,
            "server.pem": self.server.certificate_pem,
            "server.key": self.server.key_pem,
            "client.pem": self.client.certificate_pem,
            "client.key": self.client.key_pem,
            "ssl.config": ssl_config(self.server, trusted),
        }

    def signed_by_older(self) -> list[str]:
        """Returns the names of the certificates that a previous authority has signed."""
        signer = self.authority.certificate.subject
        leaves = {"server": self.server, "client": self.client}
        return [name for name, leaf in leaves.items() if leaf.certificate.issuer != signer]

    def summary(self) -> str:
        """Returns a line for each certificate: its expiry date and its purpose."""
        hosts = ", ".join(hosts_of(self.server.certificate))
        lines = [
            ("ca", self.authority.certificate, "authority, trusted"),
            *(("ca", old, "previous authority, still trusted") for old in self.older),
            ("server", self.server.certificate, f"for {hosts}"),
            ("client", self.client.certificate, "for all clients"),
        ]
        return "\n".join(
            f"  {name:<7} until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC  {purpose}"
            for name, certificate, purpose in lines
        )


def new(validity: Validity, hosts: Sequence[str] | None) -> Certificates:
    """Returns a set with a new authority."""
    authority = create_authority(validity.now)
    server = issue_server(authority, validity, hosts or HOSTS)
    return Certificates(authority, (), server, issue_client(authority, validity))


def renewed(
    present: Certificates, which: Sequence[str], validity: Validity, hosts: Sequence[str] | None
) -> Certificates:
    """Returns the set with some certificates renewed. A previous authority stays trusted."""
    if "ca" in which:
        older = (present.authority.certificate, *present.older)
        present = replace(present, authority=create_authority(validity.now), older=older)
    if "server" in which:
        hosts = hosts or hosts_of(present.server.certificate)
        present = replace(present, server=issue_server(present.authority, validity, hosts))
    if "client" in which:
        present = replace(present, client=issue_client(present.authority, validity))
    return present


def without_older(present: Certificates) -> Certificates:
    """Returns the set without previous authorities.

    Raises:
        Refused: There is none, or a certificate is still signed by one.
    """
    if not present.older:
        raise Refused("only one authority is trusted: there is no previous one to drop")
    if left := present.signed_by_older():
        raise Refused(
            f"the previous authority signed the certificate of {' and '.join(left)}: first run "
            f"--renew {' '.join(left)} and distribute the files"
        )
    return replace(present, older=())


def ssl_config(server: Identity, trusted: bytes) -> bytes:
    """Returns TensorFlow Serving's SSLConfig in text format; its fields contain PEM text."""
    fields = {
        "server_key": server.key_pem,
        "server_cert": server.certificate_pem,
        "custom_ca": trusted,
    }
    lines = ["# SSLConfig, for --ssl_config_file. Contains the server's private key."]
    for field, text in fields.items():
        lines += [f"{field}:", *(f'  "{line}\\n"' for line in text.decode().splitlines())]
    lines += ["# Clients without a certificate of these authorities are rejected."]
    return "\n".join([*lines, "client_verify: true", ""]).encode()


def read(folder: Path) -> Certificates:
    """Reads the set in a folder.

    Raises:
        Refused: A file is missing, or was not created by `make certs`.
    """
    try:
        trusted = x509.load_pem_x509_certificates((folder / "ca.pem").read_bytes())
        authority, server, client = (_identity(folder, name) for name in ("ca", "server", "client"))
    except OSError as error:
        raise Refused(f"cannot read {error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise Refused(f"{folder} does not contain files of `make certs`: {error}") from error
    return Certificates(authority, tuple(trusted[1:]), server, client)


def _identity(folder: Path, name: str) -> Identity:
    certificate = x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
    key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
    if (
        not isinstance(key, ec.EllipticCurvePrivateKey)
        or key.public_key() != certificate.public_key()
    ):
        raise ValueError(f"{name}.key is not the key of {name}.pem")
    return Identity(certificate, key)
