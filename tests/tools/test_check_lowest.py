"""The check of lower bounds: a bound without a wheel does not pass for a tested one."""

from __future__ import annotations

import check_lowest
from packaging.requirements import Requirement

GRPC, CRYPTOGRAPHY = Requirement("grpcio>=1.75.1,<2"), Requirement("cryptography>=45")


def test_a_bound_that_was_not_resolved_is_reported():
    resolved = {"grpcio": "1.76.0", "cryptography": "45.0.0"}
    assert check_lowest.higher([GRPC, CRYPTOGRAPHY], resolved) == [
        "grpcio: 1.75.1 has no wheel, 1.76.0 is the first that has"
    ]
    assert check_lowest.higher([GRPC], {"grpcio": "1.75.1"}) == []


def test_bounds_are_those_of_the_metadata():
    assert {each.name for each in check_lowest.stated("client")} == {"grpcio", "protobuf"}
    serving = {each.name: each for each in check_lowest.stated("serving")}
    assert "seq2sum" not in serving
    assert all(map(check_lowest.lowest, serving.values()))
