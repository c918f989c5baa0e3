"""What each verb wants, from where things are. Pure: a `Current` in, a `Desired` out."""

from __future__ import annotations

from seq2sum_serving.deployment.errors import Refused
from seq2sum_serving.deployment.state import CANARY, LABELS, PREVIOUS, STABLE, Current, Desired


def adopted(current: Current) -> bool:
    """Whether the file of record is as rollouts leave it: `specific`, with both labels."""
    labels = current.recorded.labels
    return current.recorded.policy.kind == "specific" and STABLE in labels and CANARY in labels


def adopt(current: Current) -> Desired:
    """The version that serves becomes `stable`; one that is already stays so.

    Raises:
        Refused: No version serves on every replica.
    """
    stable = current.stable
    if stable is None:
        stable = max(filter(current.available_everywhere, current.aspired), default=None)
    if stable is None:
        _tell_what_keeps(current)
        raise Refused(
            "no version serves on every replica yet. Wait until one is AVAILABLE (`status` tells), "
            "or make one stable with `promote V`"
        )
    return _wanted(current, stable, current.canary or stable, current.previous)


def canary(current: Current, version: int) -> Desired:
    """The version goes on trial beside the stable one.

    Raises:
        Refused: Another one is on trial, or this one serves already.
    """
    adopted = adopt(current)
    stable = adopted.labels[STABLE]
    if version == stable:
        raise Refused(f"version {version} is stable already: there is nothing to try")
    _refuse_second_trial(current, version)
    return _wanted(current, stable, version, current.previous, loaded=version)


def beside(current: Current, version: int) -> Desired:
    """The version is loaded beside the stable one and gets no traffic by label."""
    trial = canary(current, version)
    stable = trial.labels[STABLE]
    return _wanted(current, stable, current.canary or stable, current.previous, loaded=version)


def promote(current: Current, version: int) -> Desired:
    """The version becomes stable; the one before is kept loaded as `previous`.

    Raises:
        Refused: Another one is on trial.
    """
    _refuse_second_trial(current, version)
    before = current.stable
    if before is None and not falls_back(current):
        serving = filter(current.available_everywhere, current.aspired - {version})
        before = max(serving, default=None)
    return _wanted(current, version, version, current.previous if before == version else before)


def rollback(current: Current) -> Desired:
    """The trial ends; or without one, the version before is stable again.

    Only labels move. What they left stays loaded until it is retired: nothing has to be waited
    for.

    Raises:
        Refused: There is nothing to go back to.
    """
    left: int | None
    previous: int | None
    if current.canary is not None and current.stable is not None:
        stable, previous, left = current.stable, current.previous, current.canary
    elif current.previous is not None:
        stable, previous, left = current.previous, None, current.stable
    else:
        raise Refused(
            "there is nothing to go back to: no version is on trial, and none has the label "
            "`previous`. `promote V` moves to another version that is on disk"
        )
    kept = left if left is not None and current.available_everywhere(left) else None
    return _wanted(current, stable, stable, previous, loaded=kept)


def retire(current: Current, version: int) -> Desired:
    """The version is unloaded.

    Raises:
        Refused: Calls may go to it.
    """
    if version == current.stable:
        raise Refused(f"version {version} is stable: promote another one first")
    if version == current.canary:
        raise Refused(f"version {version} is on trial: end that first with `rollback`")
    for label, pointed_at in current.recorded.labels.items():
        if pointed_at == version and label not in LABELS:
            raise Refused(f"label {label!r} points at version {version}: move it first, by hand")
    adopted = adopt(current)
    labels = {label: v for label, v in adopted.labels.items() if v != version}
    return Desired(frozenset((current.aspired | adopted.versions) - {version}), labels)


def _refuse_second_trial(current: Current, version: int) -> None:
    """Raises Refused if another version is on trial."""
    if current.canary not in (None, version):
        raise Refused(
            f"version {current.canary} is on trial. End that first: `promote {current.canary}` or "
            "`rollback`"
        )


def _wanted(
    current: Current, stable: int, trial: int, previous: int | None, *, loaded: int | None = None
) -> Desired:
    """Labels of others stay where they are, and keep their versions loaded."""
    others = {label: v for label, v in current.recorded.labels.items() if label not in LABELS}
    labels = {**others, STABLE: stable, CANARY: trial}
    if previous is not None and previous != stable:
        labels[PREVIOUS] = previous
    return Desired(frozenset(labels.values()) | ({loaded} if loaded is not None else set()), labels)


def falls_back(current: Current) -> bool:
    """Whether a replica serves what it was told to leave, since what should follow failed."""
    return any(
        replica.available and not replica.available & current.aspired
        for replica in current.replicas
    )


def _tell_what_keeps(current: Current) -> None:
    """Raises Refused with the error of a version that all wait for."""
    for replica in current.replicas:
        for version in sorted(current.aspired, reverse=True):
            if failure := replica.failure(version):
                raise Refused(
                    f"version {version} could not be loaded by {replica.target}: {failure}. "
                    "Publish a version that loads and `promote` it: it takes over when it is "
                    "AVAILABLE"
                )
