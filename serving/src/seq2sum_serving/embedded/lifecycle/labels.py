"""Version labels: names for versions that requests may use. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from seq2sum_serving.embedded.errors import Code, ServingError

Labels = Mapping[str, Mapping[str, int]]
"""Versions by model and label."""


def assigned(
    wanted: Labels,
    before: Labels,
    available: Callable[[str, int], bool],
    *,
    allow_unavailable: bool,
) -> Labels:
    """The labels after a reload: all of the wanted ones, or none of them.

    Args:
        wanted: The labels of the new configuration.
        before: Those that are assigned now.
        available: Whether a version of a model is AVAILABLE.
        allow_unavailable: `--allow_version_labels_for_unavailable_models`: a label that is not
            assigned yet, or to the same version already, may point anywhere. One that moves
            still needs a version that is AVAILABLE.

    Raises:
        ServingError: FAILED_PRECONDITION, a label points at a version that is not AVAILABLE.
    """
    for model, labels in wanted.items():
        for label, version in labels.items():
            if available(model, version):
                continue
            now = before.get(model, {}).get(label)
            if allow_unavailable and now in (None, version):
                continue
            raise ServingError(
                Code.FAILED_PRECONDITION,
                f"Request to assign label to version {version} of model {model}, which is not "
                "currently available for inference",
            )
    return wanted


def version_of(labels: Labels | None, model: str, label: str) -> int:
    """The version that a label stands for; None for labels that nothing has set yet.

    Raises:
        ServingError: UNAVAILABLE without any configuration, INVALID_ARGUMENT for an unknown
            label, and also for an unknown model.
    """
    if labels is None:
        raise ServingError(Code.UNAVAILABLE, f"Model labels does not init yet.{label}")
    version = labels.get(model, {}).get(label)
    if version is None:
        raise ServingError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")
    return version
