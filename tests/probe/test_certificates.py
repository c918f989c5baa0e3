"""The certificates that servers present, and calls over mTLS."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from seq2sum_serving.probe import prober
from seq2sum_serving.probe.findings import findings
from seq2sum_serving.probe.metrics import metric_families
from support.certificates import EXPIRED, Certificates
from support.probed_models import doubling, model_config


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def mtls(certificates):
    """Options that present a client certificate."""
    client = certificates.of_client()
    return "--ca", certificates.ca, "--cert", client["certificate"], "--key", client["key"]


def test_the_expiry_date_is_read_over_mtls(certificates, mtls, config, once, create_prober, fake):
    end = datetime(2049, 6, 1, 12, 30, tzinfo=UTC)
    with fake(credentials=certificates.of_server(mutual=True, not_after=end)) as server:
        result = once("--targets", server.target, *mtls, "--base-path", config.parent / "seq2sum")
        assert result.code == 0
        assert result.out.count("2049-06-01") == 2
        prober = create_prober("--targets", server.target, *mtls)
        [observation] = prober.run_round(0).values()
        result = once("--targets", server.target, *mtls[:2], "--json")  # no client certificate
        assert result.code == 1
        assert not result.json["models"]["seq2sum"]["replicas"][0]["up"]
    families = metric_families(observation, {}, model="sums")
    samples = [sample for family in families for sample in family.samples]
    [found] = [sample for sample in samples if "certificate_not_after" in sample.name]
    assert found.labels == {"model": "sums", "replica": server.target}
    assert found.value == end.timestamp()


def test_an_expired_certificate_is_reported_with_its_date(certificates, mtls, once, fake):
    with fake(credentials=certificates.of_server(mutual=True, **EXPIRED)) as server:
        result = once("--targets", server.target, *mtls)
    assert result.code == 1
    assert f"the certificate of {server.target} expired on 2021-01-01 at 00:00 UTC" in result.errors
    assert f"{server.target} is down: UNAVAILABLE" in result.errors


def test_server_name_overrides_the_expected_name(certificates, mtls, once, fake):
    with fake(credentials=certificates.of_server("seq2sum.example.org")) as server:
        assert once("--targets", server.target, *mtls).code == 1
        named = once("--targets", server.target, *mtls, "--server-name", "seq2sum.example.org")
    assert named.code == 0


def test_a_server_without_tls_presents_no_certificate(mtls, once, fake):
    with fake() as server:
        result = once("--targets", server.target, *mtls)
    assert result.code == 1
    assert re.search(rf"{re.escape(server.target)} presents no certificate: \S", result.errors)


def test_a_certificate_is_read_once_for_all_models_of_a_replica(
    certificates, mtls, config, create_prober, monkeypatch
):
    config.write_text(model_config(config.parent, "doubles", "other"))
    read = []
    check = prober.check_certificate
    monkeypatch.setattr(
        prober, "check_certificate", lambda *options: read.append(options[0]) or check(*options)
    )
    with doubling(credentials=certificates.of_server(mutual=True, **EXPIRED)) as server:
        observations = create_prober("--targets", server.target, *mtls).run_round(0)
    assert read == [server.target]
    assert [each.certificates.keys() for each in observations.values()] == [{server.target}] * 2
    expired = [each.text for each in findings(observations) if "expired on" in each.text]
    assert len(expired) == 1
