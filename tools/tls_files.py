"""The set of files that `make certs` makes: what is in each, and how a set follows another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from authority import Identity, Validity, a_client, a_server, an_authority, hosts_of, pem
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOSTS = (
    "localhost", "127.0.0.1", "::1",
    "serving", "serving-tls", "replica", "embedded", "seq2sum-serving",
)  # fmt: skip
"""This machine, and the services of docker-compose.yml and of Kubernetes."""
NAMES = frozenset(
    ("ca.pem", "ca.key", "server.pem", "server.key", "client.pem", "client.key", "ssl.config")
)


class Refused(Exception):
    """Why nothing is done."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """All that is in the folder."""

    authority: Identity
    older: tuple[x509.Certificate, ...]
    """Authorities that are still trusted, and sign no more."""
    server: Identity
    client: Identity

    def files(self) -> dict[str, bytes]:
        """The content of each file, by name."""
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

    def of_older(self) -> list[str]:
        """Which of the certificates an older authority has signed."""
        signer = self.authority.certificate.subject
        leaves = {"server": self.server, "client": self.client}
        return [name for name, leaf in leaves.items() if leaf.certificate.issuer != signer]

    def summary(self) -> str:
        """A line for each certificate: what it is for, and until when."""
        hosts = ", ".join(hosts_of(self.server.certificate))
        lines = [
            ("ca", self.authority.certificate, "is trusted, and signs"),
            *(("ca", old, "is trusted still") for old in self.older),
            ("server", self.server.certificate, f"for {hosts}"),
            ("client", self.client.certificate, "for whoever may ask"),
        ]
        return "\n".join(
            f"  {name:<7} until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC  {told}"
            for name, certificate, told in lines
        )


def new(validity: Validity, hosts: Sequence[str] | None) -> Certificates:
    """A set with an authority of its own."""
    authority = an_authority(validity.now)
    server = a_server(authority, validity, hosts or HOSTS)
    return Certificates(authority, (), server, a_client(authority, validity))


def renewed(
    present: Certificates, which: Sequence[str], validity: Validity, hosts: Sequence[str] | None
) -> Certificates:
    """The set with some of it new; a new authority leaves the one before it trusted."""
    if "ca" in which:
        older = (present.authority.certificate, *present.older)
        present = replace(present, authority=an_authority(validity.now), older=older)
    if "server" in which:
        hosts = hosts or hosts_of(present.server.certificate)
        present = replace(present, server=a_server(present.authority, validity, hosts))
    if "client" in which:
        present = replace(present, client=a_client(present.authority, validity))
    return present


def without_older(present: Certificates) -> Certificates:
    """The set that trusts its newest authority only."""
    if not present.older:
        raise Refused("one authority is trusted here: there is no old one to drop")
    if left := present.of_older():
        raise Refused(
            f"the old authority signed the certificate of the {' and of the '.join(left)}: first "
            f"--renew {' '.join(left)}, and hand the files to everybody"
        )
    return replace(present, older=())


def ssl_config(server: Identity, trusted: bytes) -> bytes:
    """TensorFlow Serving's SSLConfig, as a text proto; its fields hold PEM text."""
    fields = {
        "server_key": server.key_pem,
        "server_cert": server.certificate_pem,
        "custom_ca": trusted,
    }
    lines = ["# SSLConfig, for --ssl_config_file. It holds the server's private key."]
    for field, text in fields.items():
        lines += [f"{field}:", *(f'  "{line}\\n"' for line in text.decode().splitlines())]
    lines += ["# Clients without a certificate of these authorities are refused."]
    return "\n".join([*lines, "client_verify: true", ""]).encode()


def read(folder: Path) -> Certificates:
    """The set in a folder.

    Raises:
        Refused: It is not there, or is none of these.
    """
    try:
        trusted = x509.load_pem_x509_certificates((folder / "ca.pem").read_bytes())
        authority, server, client = (_identity(folder, name) for name in ("ca", "server", "client"))
    except OSError as error:
        raise Refused(f"cannot read {error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise Refused(f"{folder} does not hold what `make certs` made: {error}") from error
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
