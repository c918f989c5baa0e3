"""The expiry date of a client's certificate."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from seq2sum._client_certificate import expiry
from support.certificates import Certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize(
    "until",
    # From 2050 on RFC 5280 (4.1.2.5) encodes dates in another format.
    [
        datetime(2021, 2, 3, 4, 5, 6, tzinfo=UTC),
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2050, 1, 1, tzinfo=UTC),
        datetime(2999, 1, 1, tzinfo=UTC),
    ],
    ids=lambda until: f"{until:%Y}",
)
def test_expiry_is_the_end_of_validity_of_the_first_certificate(certificates, until):
    files = certificates.of_client(not_before=until.replace(1999), not_after=until)
    assert expiry(**files) == until
    chain = files["certificate"]
    chain.write_bytes(chain.read_bytes() + certificates.ca.read_bytes())
    assert expiry(**files) == until


def test_expiry_of_a_file_that_is_not_a_certificate_is_unknown(certificates, tmp_path):
    files = certificates.of_client()
    whole = files["certificate"].read_bytes()
    for content in (b"", b"\xff\xfe", whole[:100], whole[:100] + whole[200:]):
        (tmp_path / "broken.pem").write_bytes(content)
        assert expiry(tmp_path / "broken.pem", files["key"]) is None
    assert expiry(tmp_path / "missing.pem", files["key"]) is None
    assert expiry(files["certificate"], certificates.of_client("other")["key"]) is None
