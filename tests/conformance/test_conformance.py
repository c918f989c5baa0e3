"""Every recorded conversation with the real server, held with ours: one test for each."""

from __future__ import annotations

import pytest
from conformance import case, differences, replay

CASES = case.cases()
BASE = [one for one in CASES if one.own is None]
OWN = [one for one in CASES if one.own is not None]
SECONDS = 900
"""Of one test, which may wait for those before it."""


def hold(departures):
    """Without a traceback: what is to be seen is where a conversation departs."""
    if departures:
        pytest.fail("\n".join(departures), pytrace=False)


@pytest.mark.parametrize("recorded", BASE, ids=[one.id for one in BASE])
def test_the_base_server_answers_as_the_real_one(recorded, base_subject):
    hold(replay.play(recorded, base_subject, differences.instead(recorded.id)))


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("recorded", OWN, ids=[one.id for one in OWN])
def test_a_server_of_its_own_behaves_as_the_real_one(recorded, own_results):
    hold(own_results[recorded.id].result())
