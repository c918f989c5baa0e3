"""The end of a certificate is read by the rules of DER."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from seq2sum_serving.probe.certificate import not_after


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def issued(authority, **how):
    """A certificate, as another library reads it."""
    [pem] = authority.issue_cert("127.0.0.1", **how).cert_chain_pems
    return x509.load_pem_x509_certificate(pem.bytes())


@pytest.mark.parametrize(
    "end",
    [
        datetime(2021, 1, 1, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),  # two digits for the year
        datetime(2050, 1, 1, tzinfo=UTC),  # four
        datetime(2999, 1, 1, tzinfo=UTC),
    ],
    ids=str,
)
def test_it_is_the_moment_that_was_written(authority, end):
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = issued(authority, not_before=begin, not_after=end)
    assert not_after(certificate.public_bytes(Encoding.DER)) == end.timestamp()


def test_another_library_reads_the_same(authority):
    certificate = issued(authority)
    der = certificate.public_bytes(Encoding.DER)
    assert not_after(der) == certificate.not_valid_after_utc.timestamp()


def test_whatever_is_no_certificate_is_a_value_error_and_nothing_else(authority):
    whole = issued(authority).public_bytes(Encoding.DER)
    pieces = [whole[:size] for size in range(len(whole))]
    pieces += [whole[:at] + b"\xff" * 9 + whole[at + 9 :] for at in range(0, 120, 3)]
    for piece in pieces:
        try:
            assert not_after(piece) == not_after(whole)  # what was spoiled is not looked at
        except ValueError as error:
            assert str(error) == "it is no X.509 certificate"  # noqa: PT017
