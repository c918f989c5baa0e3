"""The end of validity of certificates, compared with the cryptography library."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from seq2sum import certificates

THEN = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)


def issued(until, *names):
    certificate = trustme.CA().issue_cert(*names, not_before=THEN.replace(1999), not_after=until)
    return certificate.cert_chain_pems[0].bytes()


def der(pem):
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "until",
    # From 2050 on, the time has another type; many names need longer length fields.
    [
        THEN.replace(year=2021),
        THEN,
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2050, 1, 1, tzinfo=UTC),
        THEN + timedelta(days=40_000),
        datetime(2999, 1, 1, tzinfo=UTC),
    ],
    ids=lambda until: f"{until:%Y}",
)
def test_not_after_equals_that_of_the_certificate(until):
    pem = issued(until, *(f"host{n}.example" for n in range(90)))
    assert certificates.first_not_after(pem) == until
    assert certificates.first_not_after(b"a line before\n" + pem) == until
    assert certificates.not_after(der(pem)) == until


def test_not_after_equals_that_of_cryptography():
    pem = trustme.CA().issue_cert("127.0.0.1").cert_chain_pems[0].bytes()
    read = x509.load_pem_x509_certificate(pem)
    assert certificates.first_not_after(pem) == read.not_valid_after_utc


def test_first_not_after_reads_the_first_certificate_of_a_chain():
    chain = issued(THEN, "a.example") + trustme.CA().cert_pem.bytes()
    assert certificates.first_not_after(chain) == THEN


def test_first_not_after_of_truncated_pem_is_none():
    text = issued(THEN, "a.example")
    for cut in range(len(text) - len(b"-----\n")):
        assert certificates.first_not_after(text[:cut]) is None


def test_first_not_after_of_truncated_der_is_none():
    begin, body, end = re.fullmatch(
        rb"(-+BEGIN.+?-+\n)(.+?)(-+END.+)", issued(THEN, "a.example"), re.DOTALL
    ).groups()
    for cut in range(len(body)):
        assert certificates.first_not_after(begin + body[:cut] + b"\n" + end) in (None, THEN)


def test_first_not_after_of_other_text_is_none():
    for text in (b"", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"):
        assert certificates.first_not_after(text) is None


def test_not_after_raises_value_error_for_any_other_bytes():
    whole = der(issued(THEN, "a.example"))
    pieces = [whole[:size] for size in range(len(whole))]
    pieces += [whole[:at] + b"\xff" * 9 + whole[at + 9 :] for at in range(0, 120, 3)]
    for piece in pieces:
        try:
            assert certificates.not_after(piece) == THEN  # the damaged part is not read
        except ValueError as error:
            assert str(error) == "not an X.509 certificate"  # noqa: PT017
