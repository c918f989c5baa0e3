"""The first inputs of `make fuzz`; tests/fuzz/README.md describes the checks."""

from __future__ import annotations

import pytest
from fuzz import generation, report
from fuzz.campaign import Campaign
from fuzz.findings import Results
from fuzz.server import EMBEDDED, Server

pytestmark = [pytest.mark.embedded, pytest.mark.server]

SEED, COUNT = 1, 2500


def test_replies_to_random_requests_and_background_calls(tmp_path):
    found = []
    results = Results(found.append)
    server = Server(EMBEDDED, tmp_path / "server")
    try:
        campaign = Campaign([server], results, workers=4)
        campaign.run(generation.case(SEED, number) for number in range(COUNT))
        code = server.process.poll()
    finally:
        server.stop()
    assert not found, "\n".join(
        report.describe_finding(finding, number, ()) for number, finding in enumerate(found, 1)
    )
    assert code is None
    assert results.sent == COUNT
    assert not report.rarely_accepted(results)
    assert all(caller.calls for caller in campaign.callers)
