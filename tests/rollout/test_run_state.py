"""The event log shows which run is open, and how far it has come."""

from __future__ import annotations

import pytest
from seq2sum_serving.deployment.event_log import Event
from seq2sum_serving.deployment.run_state import open_run, unfinished_publish


def events(*lines):
    """Events of run r and version 2: `run started`, `contract Failed`, `step completed 25`."""
    found = []
    for line in lines:
        kind, details = line, {}
        if line.endswith(("Successful", "Failed")):
            gate, verdict = line.split()
            kind, details = "measurement", {"gate": gate, "verdict": verdict}
        elif line.startswith("step "):
            kind, weight = line.rsplit(" ", 1)
            details = {"weight": int(weight)}
        found.append(Event(kind, 2, "why", details, run="r"))
    return found


STARTED = ("run started",)
JUDGED = (*STARTED, "evaluation Failed", "contract Successful")
CHECKED = (*STARTED, "evaluation Successful", "contract Successful", "files passed")
LOADED = (*CHECKED, "versions set", "golden Successful", "analysis passed")
STEPPED = (*LOADED, "labels set", "step started 5", "step completed 5", "step started 25")
PROMOTED = (*STEPPED, "step completed 25", "promoted")


@pytest.mark.parametrize(
    ("lines", "progress"),
    [
        (STARTED, "it had just started"),
        ((*STARTED, "contract Failed"), "it had just started"),
        (JUDGED, "it had just started"),
        (CHECKED, "its files passed their gates"),
        (LOADED, "it passed the gates without traffic"),
        (STEPPED, "it completed the step at 5 %"),
        (PROMOTED, "it was being promoted"),
        ((*STEPPED, "rolled back"), "it was being aborted"),
        ((*STEPPED, "aborted"), "it was being aborted"),
        ((*LOADED, "failed"), "it was being aborted"),
    ],
)
def test_progress_of_the_open_run(lines, progress):
    run = open_run(events(*lines))
    assert run is not None
    assert (run.run, run.version, run.progress) == ("r", 2, progress)


def test_completed_weights():
    assert open_run(events(*STEPPED)).completed_weights == {5}
    assert open_run(events(*PROMOTED)).completed_weights == {5, 25}


@pytest.mark.parametrize("end", ["run ended", "rolled back", "retired", "promoted"])
def test_run_is_ended_by_itself_or_by_another_command_for_its_version(end):
    run = "r" if end == "run ended" else ""
    assert open_run([*events(*STEPPED), Event(end, 2, run=run)]) is None


def test_events_of_another_version_do_not_end_a_run():
    assert open_run([*events(*STEPPED), Event("retired", 1)]) is not None


def test_no_run_is_open_before_the_first():
    assert open_run([]) is None
    assert open_run([Event("published", 2)]) is None


def test_last_run_counts():
    first = [*events(*STEPPED), Event("run ended", 2, run="r")]
    assert open_run([*first, Event("run started", 3, run="s")]).version == 3


PUBLISH = Event("publish started", 4, details={"from": "/exports/9"})
INCONCLUSIVE = Event("run ended", 4, details={"outcome": "Inconclusive"}, run="r")


LATER = {
    "running": ([], 4),
    "ended": ([Event("run ended", 4, run="r")], None),
    "rolled back by an operator": ([Event("rolled back", 4)], None),
    "another version ended": ([Event("run ended", 3)], 4),
    "killed during a rollback": ([Event("rolled back", 4, run="r")], 4),
    "killed during an abort": ([Event("failed", 4, run="r")], 4),
    "inconclusive": ([INCONCLUSIVE], 4),
    "inconclusive, then rolled back": ([INCONCLUSIVE, Event("rolled back", 4)], None),
    "inconclusive, then ended": ([INCONCLUSIVE, Event("run ended", 4, run="s")], None),
}


@pytest.mark.parametrize(("later", "version"), LATER.values(), ids=LATER)
def test_folder_keeps_its_version_until_its_run_is_over(later, version):
    assert unfinished_publish([PUBLISH, *later], "/exports/9") == version


def test_another_folder_gets_another_version():
    assert unfinished_publish([PUBLISH], "/exports/8") is None
