"""A run that was killed is found in the history, with what is behind it."""

from __future__ import annotations

import pytest
from seq2sum_serving.deployment.event_log import Event
from seq2sum_serving.deployment.run_state import open_run, published


def events(*lines):
    """`run began`, `gate contract passed`, `bake ended 25`: all of run r and version 2."""
    found = []
    for line in lines:
        what, figures = line, {}
        if line.startswith("gate "):
            what, gate, verdict = line.split()
            figures = {"gate": gate, "verdict": verdict}
        elif line.startswith("bake "):
            what, percent = line.rsplit(" ", 1)
            figures = {"weight": int(percent)}
        found.append(Event(what, 2, "why", figures, run="r"))
    return found


BEGAN = ("run began",)
CHECKED = (*BEGAN, "gate contract passed")
LOADED = (*CHECKED, "aspired", "gate golden passed", "loaded")
BAKED = (*LOADED, "labels", "bake began 5", "bake ended 5", "bake began 25")
PROMOTED = (*BAKED, "bake ended 25", "promoted")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (BEGAN, "it had just begun"),
        ((*BEGAN, "gate contract failed"), "it had just begun"),
        (CHECKED, "its files have passed"),
        (LOADED, "it has passed the gates without traffic"),
        (BAKED, "it has passed 5 % of the traffic"),
        (PROMOTED, "it was being promoted"),
        ((*BAKED, "rolled back"), "it was being taken back"),
        ((*LOADED, "failed"), "it was being taken back"),
    ],
)
def test_it_goes_on_where_it_was(lines, told):
    found = open_run(events(*lines))
    assert found is not None
    assert (found.run, found.version, found.told) == ("r", 2, told)


def test_shares_of_the_traffic_that_it_passed_are_behind_it():
    assert open_run(events(*BAKED)).baked == {5}
    assert open_run(events(*PROMOTED)).baked == {5, 25}


@pytest.mark.parametrize("end", ["run ended", "rolled back", "retired", "promoted"])
def test_it_is_over_when_it_says_so_or_an_operator_took_the_version(end):
    by = "r" if end == "run ended" else ""
    assert open_run([*events(*BAKED), Event(end, 2, run=by)]) is None


def test_what_happens_to_another_version_does_not_end_it():
    assert open_run([*events(*BAKED), Event("retired", 1)]) is not None


def test_without_a_run_there_is_none():
    assert open_run([]) is None
    assert open_run([Event("published", 2)]) is None


def test_the_last_run_counts():
    first = [*events(*BAKED), Event("run ended", 2, run="r")]
    assert open_run([*first, Event("run began", 3, run="s")]).version == 3


def test_a_folder_that_a_run_publishes_keeps_its_number_until_the_run_is_over():
    begun = [Event("publishing", 4, figures={"from": "/exports/9"})]
    assert published(begun, "/exports/9") == 4
    assert published(begun, "/exports/8") is None
    assert published([*begun, Event("run ended", 4, run="r")], "/exports/9") is None
    assert published([*begun, Event("rolled back", 4)], "/exports/9") is None
    assert published([*begun, Event("run ended", 3)], "/exports/9") == 4


def test_a_folder_whose_run_was_killed_while_it_was_taken_back_keeps_its_number():
    begun = [Event("publishing", 4, figures={"from": "/exports/9"})]
    assert published([*begun, Event("rolled back", 4, run="r")], "/exports/9") == 4
    assert published([*begun, Event("failed", 4, run="r")], "/exports/9") == 4


def test_a_folder_that_nobody_could_judge_keeps_its_number():
    begun = [Event("publishing", 4, figures={"from": "/exports/9"})]
    open_end = Event("run ended", 4, figures={"outcome": "inconclusive"}, run="r")
    assert published([*begun, open_end], "/exports/9") == 4
    assert published([*begun, open_end, Event("rolled back", 4)], "/exports/9") is None
    assert published([*begun, open_end, Event("run ended", 4, run="s")], "/exports/9") is None
