"""When a label may point where, and what an unknown one says."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.lifecycle.labels import assigned, version_of

REFUSED = "refused"

CASES = [
    # wanted, assigned now, versions that are available, flag, what comes of it
    ("new label on an available version", {"a": 1}, {}, {1}, False, {"a": 1}),
    ("new label ahead of its version", {"a": 2}, {}, {1}, False, REFUSED),
    ("the same, allowed", {"a": 2}, {}, {1}, True, {"a": 2}),
    ("a label that moves to an available version", {"a": 2}, {"a": 1}, {1, 2}, False, {"a": 2}),
    ("a label that moves ahead, allowed or not", {"a": 2}, {"a": 1}, {1}, True, REFUSED),
    ("a label that stays on an unloaded version", {"a": 1}, {"a": 1}, {2}, False, REFUSED),
    ("the same, allowed", {"a": 1}, {"a": 1}, {2}, True, {"a": 1}),
    ("a label that is dropped", {}, {"a": 1}, {1}, False, {}),
    ("two labels on one version", {"a": 1, "b": 1}, {}, {1}, False, {"a": 1, "b": 1}),
    ("one bad label refuses them all", {"a": 1, "b": 5}, {}, {1}, False, REFUSED),
]


@pytest.mark.parametrize(
    ("wanted", "before", "available", "allow", "expected"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_labels(wanted, before, available, allow, expected):
    def assign():
        return assigned(
            {"m": wanted},
            {"m": before},
            lambda model, version: model == "m" and version in available,
            allow_unavailable=allow,
        )

    if expected == REFUSED:
        with pytest.raises(ServingError, match="not currently available for inference") as caught:
            assign()
        assert caught.value.code is Code.FAILED_PRECONDITION
    else:
        assert assign() == {"m": expected}


def test_a_label_stands_for_its_version():
    assert version_of({"m": {"": 0, "stable": 3}}, "m", "stable") == 3
    assert version_of({"m": {"": 0, "stable": 3}}, "m", "") == 0


@pytest.mark.parametrize("model", ["m", "unknown"])
def test_an_unknown_label_is_invalid_and_so_is_one_of_an_unknown_model(model):
    with pytest.raises(ServingError, match="Unrecognized servable version label: x") as caught:
        version_of({"m": {"stable": 3}}, model, "x")
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_before_the_first_configuration_labels_are_unavailable():
    with pytest.raises(ServingError, match=r"Model labels does not init yet\.x") as caught:
        version_of(None, "m", "x")
    assert caught.value.code is Code.UNAVAILABLE
