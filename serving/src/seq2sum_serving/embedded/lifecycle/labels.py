"""Version labels: names for versions, for use in requests. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from seq2sum_serving.embedded.errors import Code, ServingError

Labels = Mapping[str, Mapping[str, int]]
"""Versions by model and label."""


def assigned(
    requested: Labels,
    current: Labels,
    is_available: Callable[[str, int], bool],
    *,
    allow_unavailable: bool,
) -> Labels:
    """Returns the labels after a reload: all requested labels, if every one of them is allowed.

    Args:
        requested: The labels of the new configuration.
        current: The labels that are assigned now.
        is_available: Returns whether a version of a model is AVAILABLE.
        allow_unavailable: `--allow_version_labels_for_unavailable_models`: a label that is not
            assigned yet, or already assigned to this version, may point to any version. A label
            that moves still needs an AVAILABLE version (recorded case
            `labels/flag-assigned-label-cannot-move-ahead`).

    Raises:
        ServingError: FAILED_PRECONDITION: a label points to a version that is not AVAILABLE.
    """
    for model, labels in requested.items():
        for label, version in labels.items():
            if is_available(model, version):
                continue
            assigned_version = current.get(model, {}).get(label)
            if allow_unavailable and assigned_version in (None, version):
                continue
            raise ServingError(
                Code.FAILED_PRECONDITION,
                f"Request to assign label to version {version} of model {model}, which is not "
                "currently available for inference",
            )
    return requested


def version_of(labels: Labels | None, model: str, label: str) -> int:
    """Returns the version that a label points to; `labels` is None before the first configuration.

    Raises:
        ServingError: UNAVAILABLE before the first configuration; INVALID_ARGUMENT for an unknown
            label, and also for an unknown model.
    """
    if labels is None:
        raise ServingError(Code.UNAVAILABLE, f"Model labels does not init yet.{label}")
    version = labels.get(model, {}).get(label)
    if version is None:
        raise ServingError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")
    return version
