"""Versions to which a label may point, and errors of unknown labels."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.lifecycle.labels import assigned, version_of

REFUSED = "refused"

CASES = [
    # name, requested labels, current labels, available versions, flag, expected
    ("new label on an available version", {"a": 1}, {}, {1}, False, {"a": 1}),
    ("new label ahead of its version", {"a": 2}, {}, {1}, False, REFUSED),
    ("new label ahead of its version, allowed", {"a": 2}, {}, {1}, True, {"a": 2}),
    ("a label that moves to an available version", {"a": 2}, {"a": 1}, {1, 2}, False, {"a": 2}),
    ("a label that moves ahead, even if allowed", {"a": 2}, {"a": 1}, {1}, True, REFUSED),
    ("a label that stays on an unloaded version", {"a": 1}, {"a": 1}, {2}, False, REFUSED),
    ("a label that stays on an unloaded version, allowed", {"a": 1}, {"a": 1}, {2}, True, {"a": 1}),
    ("a label that is dropped", {}, {"a": 1}, {1}, False, {}),
    ("two labels on one version", {"a": 1, "b": 1}, {}, {1}, False, {"a": 1, "b": 1}),
    ("one bad label refuses them all", {"a": 1, "b": 5}, {}, {1}, False, REFUSED),
]


@pytest.mark.parametrize(
    ("requested", "current", "available", "allow", "expected"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_assigned_labels(requested, current, available, allow, expected):
    def assign():
        return assigned(
            {"m": requested},
            {"m": current},
            lambda model, version: model == "m" and version in available,
            allow_unavailable=allow,
        )

    if expected == REFUSED:
        with pytest.raises(ServingError, match="not currently available for inference") as caught:
            assign()
        assert caught.value.code is Code.FAILED_PRECONDITION
    else:
        assert assign() == {"m": expected}


def test_label_stands_for_its_version():
    assert version_of({"m": {"": 0, "stable": 3}}, "m", "stable") == 3
    assert version_of({"m": {"": 0, "stable": 3}}, "m", "") == 0


@pytest.mark.parametrize("model", ["m", "unknown"])
def test_unknown_label_is_refused_for_any_model(model):
    with pytest.raises(ServingError, match="Unrecognized servable version label: x") as caught:
        version_of({"m": {"stable": 3}}, model, "x")
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_labels_are_unavailable_before_the_first_configuration():
    with pytest.raises(ServingError, match=r"Model labels does not init yet\.x") as caught:
        version_of(None, "m", "x")
    assert caught.value.code is Code.UNAVAILABLE
