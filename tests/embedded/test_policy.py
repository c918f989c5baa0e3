"""The availability-preserving policy."""

from __future__ import annotations

import itertools

import pytest
from seq2sum_serving.embedded.lifecycle.policy import Action, Kind, Snapshot, next_action
from seq2sum_serving.embedded.lifecycle.states import State

ASPIRED, LEAVING = True, False
START, LOADING, AVAILABLE, UNLOADING, END = State

LOAD, UNLOAD = Kind.LOAD, Kind.UNLOAD


def action(*snapshots):
    return next_action([Snapshot(*snapshot) for snapshot in snapshots])


@pytest.mark.parametrize(
    ("snapshots", "expected"),
    [
        pytest.param([], None, id="does nothing without versions"),
        pytest.param([(1, START, ASPIRED)], Action(LOAD, 1), id="loads an aspired version"),
        pytest.param(
            [(1, START, ASPIRED), (3, START, ASPIRED), (2, START, ASPIRED)],
            Action(LOAD, 3),
            id="loads the newest first",
        ),
        pytest.param([(1, AVAILABLE, ASPIRED)], None, id="does nothing once it serves"),
        pytest.param(
            [(1, AVAILABLE, LEAVING), (2, START, ASPIRED)],
            Action(LOAD, 2),
            id="loads the successor before it unloads",
        ),
        pytest.param(
            [(1, AVAILABLE, LEAVING), (2, LOADING, ASPIRED)],
            None,
            id="does not unload while the successor is loading",
        ),
        pytest.param(
            [(1, AVAILABLE, LEAVING), (2, AVAILABLE, ASPIRED)],
            Action(UNLOAD, 1),
            id="unloads once the successor serves",
        ),
        pytest.param(
            [(1, AVAILABLE, LEAVING), (2, END, ASPIRED)],
            None,
            id="keeps the old version when the successor failed",
        ),
        pytest.param(
            [(1, AVAILABLE, LEAVING), (2, AVAILABLE, LEAVING), (3, END, ASPIRED)],
            Action(UNLOAD, 1),
            id="keeps just one of several old versions, the newest",
        ),
        pytest.param(
            [(1, AVAILABLE, LEAVING)], Action(UNLOAD, 1), id="unloads when nothing is aspired"
        ),
        pytest.param(
            [(1, AVAILABLE, LEAVING), (2, AVAILABLE, ASPIRED), (3, START, ASPIRED)],
            Action(UNLOAD, 1),
            id="unloads before it loads",
        ),
        pytest.param(
            [(2, AVAILABLE, LEAVING), (1, START, ASPIRED)],
            Action(LOAD, 1),
            id="loads an aspired version that is older",
        ),
        pytest.param([(1, END, ASPIRED)], None, id="does not retry a failed version"),
        pytest.param([(1, UNLOADING, LEAVING)], None, id="lets an unloading version finish"),
    ],
)
def test_next_action(snapshots, expected):
    assert action(*snapshots) == expected


def test_order_of_snapshots_does_not_matter():
    snapshots = [(1, AVAILABLE, LEAVING), (2, AVAILABLE, ASPIRED), (3, START, ASPIRED)]
    assert len({action(*order) for order in itertools.permutations(snapshots)}) == 1


def test_last_serving_version_is_unloaded_only_if_nothing_is_aspired():
    """Checks every combination of states of three versions."""
    kinds = list(itertools.product(State, (ASPIRED, LEAVING)))
    for chosen in itertools.product(kinds, repeat=3):
        snapshots = [(number, *kind) for number, kind in enumerate(chosen)]
        found = action(*snapshots)
        if found and found.kind is UNLOAD:
            state, aspired = chosen[found.version]
            assert state is AVAILABLE
            assert aspired is LEAVING
            serving = sum(state is AVAILABLE for state, _ in chosen)
            assert serving > 1 or not any(aspired for _, aspired in chosen)
