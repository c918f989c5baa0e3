"""What is wrong by what a round saw, a sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from seq2sum_serving.deployment import drift
from seq2sum_serving.deployment.plain_text import first_line, one_line
from seq2sum_serving.probe.inputs import DISPENSABLE
from seq2sum_serving.probe.observation import ANSWERED, Sight


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence."""

    about: str
    """The same in the next round if the problem is, whatever the sentence then says."""
    text: str
    """One line."""
    note: bool = False
    """Whether it only makes the round see less: callers have nothing to fear from it."""


def drift_sentences(sight: Sight) -> list[str]:
    """Every difference between the file of record, the disk and the replicas."""
    return drift.drift(sight.current)


def problems(sight: Sight) -> list[Problem]:
    """All of them. A version on its way is none: labels stay where they are until it is there."""
    return [
        *_sources(sight),
        *_labels(sight),
        *_replicas(sight),
        *_certificates(sight),
        *_answers(sight),
    ]


def _sources(sight: Sight) -> Iterator[Problem]:
    for source, why in sight.sources.items():
        if why:
            yield Problem(source, one_line(why), note=source in DISPENSABLE)
    if sight.events is not None and sight.events.skipped:
        yield Problem(
            "skipped", f"{sight.events.skipped} lines of the history are no events", note=True
        )


def _labels(sight: Sight) -> Iterator[Problem]:
    if sight.recorded is None:
        return
    for label in sight.labels:
        if label not in sight.recorded.labels:
            yield Problem(
                f"no {label}",
                f"label {label} is not in the file of record: add it there, or leave it out of "
                "--labels",
            )
    for sentence in drift.label_drift(sight.current):
        yield Problem(sentence, sentence)


def _replicas(sight: Sight) -> Iterator[Problem]:
    for replica in sight.replicas:
        if not replica.up:
            told = first_line(replica.error)
            yield Problem(replica.target, one_line(f"{replica.target} does not answer: {told}"))


def _certificates(sight: Sight) -> Iterator[Problem]:
    for target, certificate in sight.certificates.items():
        about = f"certificate of {target}"
        if certificate.not_after is None:
            yield Problem(about, one_line(certificate.error))
        elif certificate.not_after < sight.ended:
            end = datetime.fromtimestamp(certificate.not_after, UTC)
            yield Problem(about, f"the {about} expired on {end:%Y-%m-%d at %H:%M} UTC")


def _answers(sight: Sight) -> Iterator[Problem]:
    up = {replica.target for replica in sight.replicas if replica.up}
    for (target, label), calls in sight.calls.items():
        failed = [call for call in calls if call.code != ANSWERED]
        if failed and target in up:  # that it is down is said already
            told = one_line(f"{failed[0].code} {first_line(failed[0].said)}")
            yield Problem(
                f"{target} {label} fails", f"{target} does not answer by label {label}: {told}"
            )
        if wrong := sight.wrong(target, label):
            first, answered = wrong[0], len(calls) - len(failed)
            yield Problem(
                f"{target} {label} wrong",
                f"{target} answers {len(wrong)} of {answered} golden questions by label {label} "
                f"wrongly: {first.question} = {one_line(first.said)}, not {first.expected}",
            )
