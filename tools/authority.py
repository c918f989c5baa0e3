"""A certificate authority for development, and the X.509 certificates that it issues.

Keys are P-256, which are small and supported by every TLS library. An authority issues certificates
for servers and clients, but not for other authorities.
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
"""Certificates are valid from a little earlier, since clocks differ."""
KEY_USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


class ValidityTooLong(Exception):
    """The certificate would expire after its authority."""


@dataclass(frozen=True, slots=True)
class Validity:
    """The validity period of a certificate."""

    now: datetime
    days: int

    @property
    def until(self) -> datetime:
        """The end of the period."""
        return self.now + timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate in PEM."""
        return pem(self.certificate)

    @property
    def key_pem(self) -> bytes:
        """The key in PEM, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def create_authority(now: datetime) -> Identity:
    """Returns a new authority, which cannot sign other authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A unique name: two authorities are trusted while one replaces the other.
    name = _common_name(f"seq2sum development authority {secrets.token_hex(4)}")
    builder = (
        _builder(name, name, key, Validity(now, AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
    )
    return Identity(builder.sign(key, hashes.SHA256()), key)


def issue_server(authority: Identity, validity: Validity, hosts: Sequence[str]) -> Identity:
    """Returns a server's certificate for host names and IP addresses."""
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    return _issue(authority, validity, "seq2sum server", ExtendedKeyUsageOID.SERVER_AUTH, names)


def issue_client(authority: Identity, validity: Validity) -> Identity:
    """Returns a client's certificate."""
    return _issue(authority, validity, "seq2sum client", ExtendedKeyUsageOID.CLIENT_AUTH)


def hosts_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Returns the host names and IP addresses of a server's certificate."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(str(name.value) for name in names)


def pem(certificate: x509.Certificate) -> bytes:
    """Returns a certificate in PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _issue(
    authority: Identity,
    validity: Validity,
    name: str,
    purpose: x509.ObjectIdentifier,
    *extensions: x509.ExtensionType,
) -> Identity:
    """Returns a certificate for one purpose, signed by the authority.

    Raises:
        ValidityTooLong: The authority expires before the certificate.
    """
    signer = authority.certificate
    left = (signer.not_valid_after_utc - validity.now).days
    if validity.days > left:
        raise ValidityTooLong(
            f"the authority expires in {max(left, 0)} days, before the certificate would in "
            f"{validity.days}: use fewer --days, or replace the authority with --renew ca"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    signer_key = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
        signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    )
    builder = (
        _builder(_common_name(name), signer.subject, key, validity)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(signer_key, critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return Identity(builder.sign(authority.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, validity: Validity
) -> x509.CertificateBuilder:
    """Returns a builder with the fields that all certificates have."""
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


def _common_name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
