"""Decides what is wrong in a round, and describes each finding in one line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from seq2sum_serving.deployment import drift
from seq2sum_serving.deployment.plain_text import first_line, one_line
from seq2sum_serving.probe.inputs import OF_EVERY_MODEL, OPTIONAL
from seq2sum_serving.probe.observation import OK, Observation, Observations


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    key: str
    """Identifies the finding across rounds, while its text may change."""
    text: str
    """One line."""
    note: bool = False
    """True if the probe merely observes less: callers are not affected."""
    of_every_model: bool = False
    """True if it is about a replica or an input that all models share."""


def config_drift(observation: Observation) -> list[str]:
    """Returns the differences between the model config file, the disk and the replicas."""
    return drift.drift(observation.current)


def findings(observations: Observations) -> list[Finding]:
    """Returns all findings of a round.

    With several models the text of a finding starts with the name of its model, except for what
    they share, which is reported once.
    """
    found: dict[str, Finding] = {}
    for model, observation in observations.items():
        for finding in findings_of_model(observation):
            own = finding
            if len(observations) > 1 and not finding.of_every_model:
                key, text = f"{model}: {finding.key}", f"{model}: {finding.text}"
                own = replace(finding, key=key, text=text)
            found.setdefault(own.key, own)
    return list(found.values())


def findings_of_model(observation: Observation) -> list[Finding]:
    """Returns all findings about a model.

    A version that is still loading is not a finding: its labels move when it is AVAILABLE.
    """
    return [
        *_inputs(observation),
        *_labels(observation),
        *_replicas(observation),
        *_certificates(observation),
        *_calls(observation),
    ]


def _inputs(observation: Observation) -> Iterator[Finding]:
    for name, error in observation.input_errors.items():
        if error:
            yield Finding(
                name, one_line(error), note=name in OPTIONAL, of_every_model=name in OF_EVERY_MODEL
            )
    for name, text in observation.missing.items():
        yield Finding(f"no {name}", one_line(text), note=True)
    if observation.events is not None and observation.events.invalid_lines:
        yield Finding(
            "invalid lines",
            f"{observation.events.invalid_lines} lines of the history are not valid events",
            note=True,
        )


def _labels(observation: Observation) -> Iterator[Finding]:
    if observation.recorded is None:
        return
    for label in observation.labels:
        if label not in observation.recorded.labels:
            yield Finding(
                f"no {label}",
                f"label {label} is not in the model config file: add it or remove it from --labels",
            )
    for difference in drift.label_drift(observation.current):
        yield Finding(difference, difference)


def _replicas(observation: Observation) -> Iterator[Finding]:
    for replica in observation.replicas:
        if not replica.up:
            error = first_line(replica.error)
            text = one_line(f"{replica.target} is down: {error}")
            yield Finding(replica.target, text, of_every_model=True)


def _certificates(observation: Observation) -> Iterator[Finding]:
    for target, certificate in observation.certificates.items():
        key = f"certificate of {target}"
        if certificate.not_after is None:
            yield Finding(key, one_line(certificate.error), of_every_model=True)
        elif certificate.not_after < observation.finished:
            end = datetime.fromtimestamp(certificate.not_after, UTC)
            text = f"the {key} expired on {end:%Y-%m-%d at %H:%M} UTC"
            yield Finding(key, text, of_every_model=True)


def _calls(observation: Observation) -> Iterator[Finding]:
    up = {replica.target for replica in observation.replicas if replica.up}
    for (target, label), calls in observation.calls.items():
        failed = [call for call in calls if call.code != OK]
        if failed and target in up:  # a replica that is down is a finding already
            error = one_line(f"{failed[0].code} {first_line(failed[0].error)}")
            yield Finding(
                f"{target} {label} fails", f"{target}: a call to label {label} failed: {error}"
            )
        if wrong := observation.wrong_answers(target, label):
            answered = len(observation.answers(target, label))
            yield Finding(
                f"{target} {label} wrong",
                f"{target}: {len(wrong)} of {answered} golden answers of label {label} are wrong: "
                f"for {wrong[0].request}, {one_line(wrong[0].difference)}",
            )
