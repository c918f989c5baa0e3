"""The first inputs of `make fuzz`, whose checks are described in tests/fuzz/README.md."""

from __future__ import annotations

import pytest
from fuzz import generation, report
from fuzz.books import Books
from fuzz.campaign import Campaign
from fuzz.server import OURS, Server

pytestmark = pytest.mark.embedded

SEED, COUNT = 1, 2500


def test_random_requests_and_the_callers_beside_them_are_answered_as_they_must_be(tmp_path):
    found = []
    books = Books(found.append)
    server = Server(OURS, tmp_path / "server")
    try:
        campaign = Campaign([server], books, workers=4)
        campaign.run(generation.case(SEED, number) for number in range(COUNT))
        code = server.process.poll()
    finally:
        server.stop()
    shown = "\n".join(report.shown(one, number, ()) for number, one in enumerate(found, 1))
    assert not found, shown
    assert code is None
    assert books.sent == COUNT
    assert not report.rubbish(books)
    assert all(caller.asked for caller in campaign.callers)
