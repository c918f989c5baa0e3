"""An authority for development, and the certificates that it signs: X.509, without any file.

Keys are P-256: small, and every TLS library takes them. An authority signs for servers and for
clients, and for no other authority.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
SKEW = timedelta(hours=1)
"""Certificates count from a little earlier: clocks of machines differ."""
KEY_USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


class TooLong(Exception):
    """A certificate would outlive its authority."""


@dataclass(frozen=True, slots=True)
class Validity:
    """From when on, and for how long."""

    now: datetime
    days: int

    @property
    def until(self) -> datetime:
        """When it ends."""
        return self.now + timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as text."""
        return pem(self.certificate)

    @property
    def key_pem(self) -> bytes:
        """The key as text, without a password."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def an_authority(now: datetime) -> Identity:
    """It signs itself, and nobody who could sign."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own: two authorities are trusted at a time while one follows the other.
    name = _named(f"seq2sum development authority {secrets.token_hex(4)}")
    made = (
        _builder(name, name, key, Validity(now, AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
    )
    return Identity(made.sign(key, hashes.SHA256()), key)


def a_server(authority: Identity, validity: Validity, hosts: Sequence[str]) -> Identity:
    """For every name and address that clients may call it by."""
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    return _issued(authority, validity, "seq2sum server", ExtendedKeyUsageOID.SERVER_AUTH, names)


def a_client(authority: Identity, validity: Validity) -> Identity:
    """For whoever may ask."""
    return _issued(authority, validity, "seq2sum client", ExtendedKeyUsageOID.CLIENT_AUTH)


def hosts_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names and addresses that a server's certificate is for."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(str(name.value) for name in names)


def pem(certificate: x509.Certificate) -> bytes:
    """The certificate as text."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _issued(
    authority: Identity,
    validity: Validity,
    name: str,
    purpose: x509.ObjectIdentifier,
    *more: x509.ExtensionType,
) -> Identity:
    """A certificate for one purpose, signed by the authority.

    Raises:
        TooLong: The authority ends before it.
    """
    signer = authority.certificate
    left = (signer.not_valid_after_utc - validity.now).days
    if validity.days > left:
        raise TooLong(
            f"the authority has {max(left, 0)} days left, and not {validity.days}: name fewer with "
            "--days, or make its successor with --renew ca"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
        signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    )
    made = (
        _builder(_named(name), signer.subject, key, validity)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(by, critical=False)
    )
    for extension in more:
        made = made.add_extension(extension, critical=False)
    return Identity(made.sign(authority.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, validity: Validity
) -> x509.CertificateBuilder:
    """What every certificate has."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.now - SKEW)
        .not_valid_after(validity.until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in allowed for use in KEY_USES})


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
