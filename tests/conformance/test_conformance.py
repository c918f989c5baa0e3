"""Replays every recorded case of tensorflow_model_server, one test for each."""

from __future__ import annotations

import pytest
from conformance import case, differences, replay
from support import processes

pytestmark = pytest.mark.server

CASES = case.cases()
SHARED = [case for case in CASES if case.server_spec is None]
GRPC = [case for case in SHARED if any("rpc" in step for step in case.steps)]
OWN = [case for case in CASES if case.server_spec is not None]
TIMEOUT_SECONDS = 900
"""Limit for one test, which may wait for the cases before it."""


@pytest.fixture
def recorded(request):
    """A recorded case; skipped on other servers if it is listed as a difference of ours."""
    names = differences.names_for_case(request.param.id)
    if names and not processes.TESTS_EMBEDDED_SERVER:
        pytest.skip(f"listed as a difference of the embedded server: {', '.join(names)}")
    return request.param


def expect_no_mismatch(mismatches):
    if mismatches:
        pytest.fail("\n".join(mismatches), pytrace=False)


@pytest.mark.parametrize("recorded", SHARED, ids=[case.id for case in SHARED], indirect=True)
def test_case_on_the_base_server(recorded, base_server):
    overrides = differences.overrides(recorded.id)
    expect_no_mismatch(replay.replay_case(recorded, base_server, overrides))


@pytest.mark.embedded
@pytest.mark.parametrize("recorded", GRPC, ids=[case.id for case in GRPC], indirect=True)
def test_case_on_grpcio(recorded, grpcio_server):
    overrides = differences.overrides(recorded.id)
    expect_no_mismatch(replay.replay_case(recorded, grpcio_server, overrides))


@pytest.mark.timeout(TIMEOUT_SECONDS)
@pytest.mark.parametrize("recorded", OWN, ids=[case.id for case in OWN], indirect=True)
def test_case_on_its_own_server(recorded, background_results):
    expect_no_mismatch(background_results[recorded.id].result())
