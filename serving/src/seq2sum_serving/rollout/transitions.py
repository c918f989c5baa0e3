"""The desired state of each command, given the current one. Pure."""

from __future__ import annotations

from dataclasses import replace

from seq2sum_serving.deployment.errors import Refused
from seq2sum_serving.deployment.state import CANARY, LABELS, PREVIOUS, STABLE, Current, Desired


def is_adopted(current: Current) -> bool:
    """Whether rollouts manage the model: its policy is `specific`, with `stable` and `canary`."""
    labels = current.recorded.labels
    return current.recorded.policy.kind == "specific" and STABLE in labels and CANARY in labels


def adopt(current: Current) -> Desired:
    """Labels the serving version `stable`; an existing stable version stays stable.

    Raises:
        Refused: No version is AVAILABLE on every replica.
    """
    stable = current.stable
    if stable is None:
        stable = max(filter(current.available_everywhere, current.aspired), default=None)
    if stable is None:
        _refuse_failed_version(current)
        raise Refused(
            "no version is AVAILABLE on every replica yet: wait until `status` shows one, or make "
            "one stable with `promote V`"
        )
    return _desired(current, stable, current.canary or stable, current.previous)


def start_canary(current: Current, version: int) -> Desired:
    """Loads a version alongside the stable one and labels it `canary`.

    Raises:
        Refused: Another version is the canary, or this one is stable.
    """
    stable = adopt(current).labels[STABLE]
    if version == stable:
        raise Refused(f"version {version} is already stable")
    refuse_second_canary(current.canary, version)
    return _desired(current, stable, version, current.previous, loaded=version)


def load(current: Current, version: int) -> Desired:
    """Loads a version alongside the stable one, without a label and thus without traffic.

    Raises:
        Refused: As for `start_canary`.
    """
    stable = start_canary(current, version).labels[STABLE]
    return _desired(current, stable, current.canary or stable, current.previous, loaded=version)


def promote(current: Current, version: int) -> Desired:
    """Makes a version stable; the former stable version stays loaded as `previous`.

    Raises:
        Refused: Another version is the canary.
    """
    refuse_second_canary(current.canary, version)
    former = current.stable
    if former is None and not is_fallen_back(current):
        serving = filter(current.available_everywhere, current.aspired - {version})
        former = max(serving, default=None)
    return _desired(current, version, version, current.previous if former == version else former)


def rollback(current: Current) -> Desired:
    """Ends the canary; without a canary, makes the previous version stable again.

    The version that loses its label is taken out in the same write, so that callers without a
    label do not stay on it. Nothing has to be loaded.

    Raises:
        Refused: There is neither a canary nor a previous version.
    """
    if current.canary is not None and current.stable is not None:
        stable, previous = current.stable, current.previous
    elif current.previous is not None:
        stable, previous = current.previous, None
    else:
        raise Refused(
            "nothing to roll back: no version has the label `canary` or `previous`. `promote V` "
            "moves to another version on disk"
        )
    return replace(_desired(current, stable, stable, previous), at_once=True)


def retire(current: Current, version: int) -> Desired:
    """Unloads a version.

    Raises:
        Refused: A label other than `previous` points at it.
    """
    if version == current.stable:
        raise Refused(f"version {version} is stable: promote another version first")
    if version == current.canary:
        raise Refused(f"version {version} is the canary: end it first with `rollback`")
    for label, labeled in current.recorded.labels.items():
        if labeled == version and label not in LABELS:
            raise Refused(f"label {label!r} points at version {version}: move it first, by hand")
    adopted = adopt(current)
    labels = {label: v for label, v in adopted.labels.items() if v != version}
    return Desired(frozenset((current.aspired | adopted.versions) - {version}), labels)


def judge_in_candidate_group(stable: Current, version: int) -> Desired:
    """Points all labels of the candidate group at a version, for callers that the router sends.

    The stable version stays loaded next to it, for comparison and for callers that name it.

    Args:
        stable: The state of the servers that callers reach.
        version: The version that is judged.
    """
    labels = {**_other_labels(stable), STABLE: version, CANARY: version}
    in_service = {stable.stable} if stable.stable is not None else set()
    return Desired(frozenset(labels.values()) | in_service, labels)


def clear_candidate_group(stable: Current) -> Desired:
    """Makes the candidate group serve the stable version only, as it does without a run.

    Raises:
        Refused: No version is stable.
    """
    if stable.stable is None:
        raise Refused("no version is stable: make one stable with `promote V`")
    labels = {**_other_labels(stable), STABLE: stable.stable, CANARY: stable.stable}
    return Desired(frozenset(labels.values()), labels, at_once=True)


def is_fallen_back(current: Current) -> bool:
    """Whether a replica serves only versions that are no longer aspired.

    A server keeps them while their successor is not AVAILABLE (AvailabilityPreservingPolicy in
    tensorflow/serving's core/availability_preserving_policy.cc).
    """
    return any(
        replica.available and not replica.available & current.aspired
        for replica in current.replicas
    )


def refuse_second_canary(canary: int | None, version: int) -> None:
    """Raises Refused if another version is the canary."""
    if canary not in (None, version):
        raise Refused(
            f"version {canary} is the canary: end it first with `promote {canary}` or `rollback`"
        )


def _desired(
    current: Current, stable: int, canary: int, previous: int | None, *, loaded: int | None = None
) -> Desired:
    """Returns the desired state; labels that rollouts do not own keep their versions.

    A previous version above the stable one is not kept: calls without a label would reach it.
    """
    labels = {**_other_labels(current), STABLE: stable, CANARY: canary}
    if previous is not None and previous < stable:
        labels[PREVIOUS] = previous
    return Desired(frozenset(labels.values()) | ({loaded} if loaded is not None else set()), labels)


def _other_labels(current: Current) -> dict[str, int]:
    """Returns the labels that rollouts do not own."""
    return {label: v for label, v in current.recorded.labels.items() if label not in LABELS}


def _refuse_failed_version(current: Current) -> None:
    """Raises Refused with the error of an aspired version that failed to load."""
    for replica in current.replicas:
        for version in sorted(current.aspired, reverse=True):
            if failure := replica.failure(version):
                raise Refused(
                    f"version {version} could not be loaded by {replica.target}: {failure}. "
                    "Publish a version that loads and `promote` it: it takes over when it is "
                    "AVAILABLE"
                )
