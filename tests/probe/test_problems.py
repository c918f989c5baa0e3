"""What is wrong, a sentence each."""

from __future__ import annotations

import pytest
from seq2sum_serving.deployment.state import Replica
from seq2sum_serving.probe.exporter import news
from seq2sum_serving.probe.findings import Problem, problems
from seq2sum_serving.probe.observation import Certificate, Events
from support.observations import A, B, failed, refused, right, sight, wrong
from support.situations import replica

GOOD = {"stable": 2, "canary": 2}
DOWN = Replica(B, error="UNAVAILABLE connections to all backends failing\nand more")

SAID = {
    "nothing is wrong": (sight(), []),
    "a replica is down, and its calls need no word of their own": (
        sight(replica("2A", GOOD, A), DOWN, calls={(B, "stable"): [failed()]}),
        ["b:1 does not answer: UNAVAILABLE connections to all backends failing"],
    ),
    "a label is elsewhere": (
        sight(replica("1A 2A", {"stable": 1, "canary": 2}, A)),
        ["label stable should be version 2, and is version 1 on a:1"],
    ),
    "a label is nowhere": (
        sight(replica("2A", {"stable": 2, "canary": None}, A)),
        ["label canary should be version 2, and is no version on a:1"],
    ),
    "a version is on its way, and labels are where they should be": (
        sight(replica("2A 3L", GOOD, A)),
        [],
    ),
    "a label is asked by that the file of record does not have": (
        sight(replica("2A", {"stable": 2}, A), wanted={"stable": 2}, calls={}),
        [
            "label canary is not in the file of record: add it there, or leave it out of --labels",
        ],
    ),
    "a call fails": (
        sight(calls={(A, "stable"): [right(), failed("RESOURCE_EXHAUSTED", "no\nmore")]}),
        ["a:1 does not answer by label stable: RESOURCE_EXHAUSTED no"],
    ),
    "answers are wrong": (
        sight(calls={(A, "stable"): [right(), wrong("8"), wrong("")], (B, "stable"): [right()]}),
        ["a:1 answers 2 of 3 golden questions by label stable wrongly: 1+2 = 8, not 3"],
    ),
    "answers are wrong before a call fails": (
        sight(calls={(A, "stable"): [right(), wrong("8"), failed()]}),
        [
            "a:1 does not answer by label stable: UNAVAILABLE gone",
            "a:1 answers 1 of 2 golden questions by label stable wrongly: 1+2 = 8, not 3",
        ],
    ),
    "a question is refused by the version that brought it": (
        sight(calls={(A, "stable"): [refused()]}),
        ["a:1 answers 1 of 1 golden questions by label stable wrongly: 12+2 = too long, not 14"],
    ),
    "a certificate is over": (
        sight(certificates={A: Certificate(1.6e9)}, ended=1.7e9),
        ["the certificate of a:1 expired on 2020-09-13 at 12:26 UTC"],
    ),
    "a certificate is in time": (sight(certificates={A: Certificate(1.8e9)}, ended=1.7e9), []),
    "no certificate": (
        sight(certificates={A: Certificate(None, "a:1 shows no certificate: timed out")}),
        ["a:1 shows no certificate: timed out"],
    ),
    "a source": (
        sight(wanted=None, sources={"targets": "", "record": "there is no file"}),
        ["there is no file"],
    ),
}


@pytest.mark.parametrize(("seen", "sentences"), SAID.values(), ids=SAID)
def test_every_problem_is_one_line(seen, sentences):
    found = problems(seen)
    assert [problem.text for problem in found] == sentences
    assert not any(problem.note for problem in found)
    assert len({problem.about for problem in found}) == len(found)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"sources": {"versions": "cannot look at it"}}, "cannot look at it"),
        ({"sources": {"golden": "there are none"}}, "there are none"),
        ({"events": Events(skipped=2)}, "2 lines of the history are no events"),
    ],
)
def test_what_only_makes_the_round_see_less_is_a_note(more, sentence):
    [found] = problems(sight(**more))
    assert (found.text, found.note) == (sentence, True)


def test_a_problem_is_told_when_it_comes_and_when_it_is_over():
    gone, worse = Problem("a", "a is down: refused"), Problem("a", "a is down: timed out")
    other = Problem("b", "b is wrong")
    assert news([], [gone]) == ["a is down: refused"]
    assert news([gone], [worse]) == []
    assert news([worse], [other]) == ["b is wrong", "over: a is down: timed out"]
    assert news([other], []) == ["over: b is wrong"]
