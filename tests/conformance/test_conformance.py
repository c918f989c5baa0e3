"""Every recorded conversation with the real server, replayed against ours: one test for each."""

from __future__ import annotations

import pytest
from conformance import case, differences, replay
from support import processes

CASES = case.cases()
BASE = [one for one in CASES if one.own is None]
OWN = [one for one in CASES if one.own is not None]
SECONDS = 900
"""Of one test, which may wait for those before it."""


@pytest.fixture
def recorded(request):
    """A case; one that the list of differences names says nothing about another server."""
    names = differences.of_case(request.param.id)
    if names and not processes.OF_THE_PROJECT:
        pytest.skip(f"listed as a difference of the embedded server: {', '.join(names)}")
    return request.param


def expect_none(departures):
    """Fails with the departures from the recording, without a traceback."""
    if departures:
        pytest.fail("\n".join(departures), pytrace=False)


@pytest.mark.parametrize("recorded", BASE, ids=[one.id for one in BASE], indirect=True)
def test_the_base_server_answers_as_the_real_one(recorded, base_subject):
    expect_none(replay.play(recorded, base_subject, differences.instead(recorded.id)))


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("recorded", OWN, ids=[one.id for one in OWN], indirect=True)
def test_a_server_of_its_own_behaves_as_the_real_one(recorded, own_results):
    expect_none(own_results[recorded.id].result())
