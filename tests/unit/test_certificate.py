"""When a certificate ends, read from its bytes; checked against the library for it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from seq2sum import _certificate

THEN = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)


def issued(until, *names):
    certificate = trustme.CA().issue_cert(*names, not_before=THEN.replace(1999), not_after=until)
    return certificate.cert_chain_pems[0].bytes()


@pytest.mark.parametrize(
    "until",
    # From 2050 on the standard has another form of time; many names make longer lengths.
    [THEN, THEN.replace(year=2049), THEN.replace(year=2050), THEN + timedelta(days=40_000)],
    ids=lambda until: f"{until:%Y}",
)
def test_the_end_is_that_of_the_certificate(until):
    assert _certificate.until(issued(until, *(f"host{n}.example" for n in range(90)))) == until
    assert _certificate.until(b"a line before\n" + issued(until, "a.example")) == until


def test_the_first_certificate_of_a_chain_counts():
    assert _certificate.until(issued(THEN, "a.example") + trustme.CA().cert_pem.bytes()) == THEN


def test_a_text_that_breaks_off_has_no_end():
    text = issued(THEN, "a.example")
    for cut in range(len(text) - len(b"-----\n")):
        assert _certificate.until(text[:cut]) is None


def test_bytes_that_break_off_raise_nothing():
    begin, body, end = re.fullmatch(
        rb"(-+BEGIN.+?-+\n)(.+?)(-+END.+)", issued(THEN, "a.example"), re.DOTALL
    ).groups()
    for cut in range(len(body)):
        assert _certificate.until(begin + body[:cut] + b"\n" + end) in (None, THEN)


def test_other_text_has_no_end():
    for text in (b"", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"):
        assert _certificate.until(text) is None
