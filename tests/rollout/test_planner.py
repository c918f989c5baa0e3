"""From every place that can be reached there is a way, or a refusal that says why."""

from __future__ import annotations

import pytest
from seq2sum_serving.deployment.errors import Refused
from seq2sum_serving.deployment.state import Desired
from seq2sum_serving.rollout import transitions
from seq2sum_serving.rollout.planner import (
    AwaitAvailable,
    AwaitGone,
    AwaitLabels,
    Push,
    Settle,
    Write,
    plan,
)
from support.situations import current, recorded


def write(versions, **labels):
    return Write(recorded(versions, **labels))


ONE = {"stable": 1, "canary": 1}

WAYS = {
    "nothing to do": (current("1", "1A", "1A", **ONE), transitions.adopt, []),
    "the version that serves is adopted": (
        current(None, "1A", on_disk="1"),
        transitions.adopt,
        [write("1"), write("1", **ONE), AwaitLabels(ONE)],
    ),
    "of all versions the newest is adopted, and the others go": (
        current("all", "1A 2A", on_disk="1 2"),
        transitions.adopt,
        [
            write("1 2"),
            write("1 2", stable=2, canary=2),
            AwaitLabels({"stable": 2, "canary": 2}),
            Settle(),
            write("2", stable=2, canary=2),
            AwaitGone((1,)),
        ],
    ),
    "a version is loaded beside": (
        current("1", "1A", "1A", **ONE),
        lambda now: transitions.beside(now, 2),
        [write("1 2", **ONE), AwaitAvailable((2,))],
    ),
    "and waited for where a killed run had asked for it": (
        current("1 2", "1A 2L", "1A 2A", **ONE),
        lambda now: transitions.beside(now, 2),
        [Push(), AwaitAvailable((2,))],
    ),
    "a trial of what is loaded only moves the label": (
        current("1 2", "1A 2A", "1A 2A", **ONE),
        lambda now: transitions.canary(now, 2),
        [write("1 2", stable=1, canary=2), AwaitLabels({"stable": 1, "canary": 2})],
    ),
    "a trial of what is not loaded loads it first": (
        current("1", "1A", **ONE),
        lambda now: transitions.canary(now, 2),
        [
            write("1 2", **ONE),
            AwaitAvailable((2,)),
            write("1 2", stable=1, canary=2),
            AwaitLabels({"stable": 1, "canary": 2}),
        ],
    ),
    "a trial under way is left as it is": (
        current("1 2", "1A 2A", stable=1, canary=2),
        lambda now: transitions.canary(now, 2),
        [],
    ),
    "to promote keeps the one before, and lets the one before that go": (
        current("1 2 3", "1A 2A 3A", stable=2, canary=3, previous=1),
        lambda now: transitions.promote(now, 3),
        [
            write("1 2 3", stable=3, canary=3, previous=2),
            AwaitLabels({"stable": 3, "canary": 3, "previous": 2}),
            Settle(),
            write("2 3", stable=3, canary=3, previous=2),
            AwaitGone((1,)),
        ],
    ),
    "a promotion that was killed after its labels goes on": (
        current("1 2 3", "1A 2A 3A", stable=3, canary=3, previous=2),
        lambda now: transitions.promote(now, 3),
        [Settle(), write("2 3", stable=3, canary=3, previous=2), AwaitGone((1,))],
    ),
    "a promotion that is done stays done": (
        current("2 3", "1E 2A 3A", stable=3, canary=3, previous=2),
        lambda now: transitions.promote(now, 3),
        [],
    ),
    "the first version of all": (
        current("", "", on_disk="1"),
        lambda now: transitions.promote(now, 1),
        [write("1"), AwaitAvailable((1,)), write("1", **ONE), AwaitLabels(ONE)],
    ),
    "a rollback of a trial moves labels and loads nothing": (
        current("1 2", "1A 2A", stable=1, canary=2),
        transitions.rollback,
        [write("1 2", **ONE), AwaitLabels(ONE)],
    ),
    "a rollback to the version before, too": (
        current("1 2", "1A 2A", stable=2, canary=2, previous=1),
        transitions.rollback,
        [write("1 2", **ONE), AwaitLabels(ONE)],
    ),
    "a rollback goes on without a replica that is down": (
        current("1 2", "1A 2A", down=1, stable=1, canary=2),
        transitions.rollback,
        [write("1 2", **ONE), AwaitLabels(ONE)],
    ),
    "to retire waits for calls with old labels, and for the version to be gone": (
        current("1 2", "1A 2A", **ONE),
        lambda now: transitions.retire(now, 2),
        [Settle(), write("1", **ONE), AwaitGone((2,))],
    ),
    "what failed to load leaves the list": (
        current("1 2", "1A 2F", **ONE),
        lambda now: transitions.retire(now, 2),
        [write("1", **ONE), AwaitGone((2,))],
    ),
    "to retire the version before gives its label up": (
        current("1 2", "1A 2A", stable=2, canary=2, previous=1),
        lambda now: transitions.retire(now, 1),
        [
            write("1 2", stable=2, canary=2),
            AwaitLabels({"stable": 2, "canary": 2}),
            Settle(),
            write("2", stable=2, canary=2),
            AwaitGone((1,)),
        ],
    ),
    "labels of others stay, and so do their versions": (
        current("1 2", "1A 2A 3E", stable=2, canary=2, theirs=1),
        lambda now: transitions.beside(now, 3),
        [write("1 2 3", stable=2, canary=2, theirs=1), AwaitAvailable((3,))],
    ),
    "a replica that lost a version is told again": (
        current("1 2", "1A 2A", "1A", stable=1, canary=2),
        lambda now: Desired(now.aspired, now.recorded.labels),
        [Push(), AwaitAvailable((2,))],
    ),
    "a replica whose label drifted is told again": (
        current("1 2", "1A 2A", answering={"stable": 2, "canary": 2}, stable=1, canary=2),
        lambda now: Desired(now.aspired, now.recorded.labels),
        [Push(), AwaitLabels({"stable": 1, "canary": 2})],
    ),
    "a replica that was not told yet to let a version go is told": (
        current("1", "1A 2A", "1A 2E", **ONE),
        lambda now: transitions.retire(now, 2),
        [Push(), AwaitGone((2,))],
    ),
    "a version whose folder is gone serves on": (
        current("1", "1A", on_disk="", **ONE),
        transitions.adopt,
        [],
    ),
    "where the server fell back, a version that loads takes over without it": (
        current(None, "1A 2F", on_disk="1 2 3"),
        lambda now: transitions.promote(now, 3),
        [
            write("3"),
            AwaitAvailable((3,)),
            write("3", stable=3, canary=3),
            AwaitLabels({"stable": 3, "canary": 3}),
            AwaitGone((1,)),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("now", "verb", "steps"), WAYS.values(), ids=WAYS)
def test_there_is_a_way(now, verb, steps):
    assert list(plan(now, verb(now), down_too=verb is transitions.rollback)) == steps


REFUSALS = {
    "a version that is not on disk": (
        current("1", "1A", on_disk="1", **ONE),
        lambda now: transitions.beside(now, 9),
        "version 9 is not on disk (there: 1). Put it there whole with `publish DIR`",
    ),
    "a version that failed on a replica": (
        current("1 2", "1A 2A", "1A 2F", **ONE),
        lambda now: transitions.beside(now, 2),
        "version 2 could not be loaded by r1:1: NOT_FOUND no bundle. A server does not try",
    ),
    "a number that failed before": (
        current("1", "1A", burned={2: "failed on Monday: golden"}, **ONE),
        lambda now: transitions.beside(now, 2),
        (
            "version 2 failed on Monday: golden. A number is never used again: publish what is "
            "mended as version 5"
        ),
    ),
    "a replica that is down": (
        current("1", "1A", down=1, **ONE),
        lambda now: transitions.beside(now, 2),
        "a replica does not answer (down0:1: UNAVAILABLE gone)",
    ),
    "a rollback with every replica down": (
        current("1 2", down=2, stable=1, canary=2),
        transitions.rollback,
        "a replica does not answer",
    ),
    "no replica at all": (current("1", **ONE), transitions.adopt, "no replica is known"),
    "a second trial": (
        current("1 2", "1A 2A", stable=1, canary=2),
        lambda now: transitions.canary(now, 3),
        "version 2 is on trial. End that first: `promote 2` or `rollback`",
    ),
    "to promote past a trial": (
        current("1 2", "1A 2A", stable=1, canary=2),
        lambda now: transitions.promote(now, 3),
        "version 2 is on trial",
    ),
    "a trial of what is stable": (
        current("1", "1A", **ONE),
        lambda now: transitions.canary(now, 1),
        "version 1 is stable already",
    ),
    "to retire what is stable": (
        current("1 2", "1A 2A", stable=2, canary=2, previous=1),
        lambda now: transitions.retire(now, 2),
        "version 2 is stable: promote another one first",
    ),
    "to retire what is on trial": (
        current("1 2", "1A 2A", stable=1, canary=2),
        lambda now: transitions.retire(now, 2),
        "version 2 is on trial",
    ),
    "to retire what others point at": (
        current("1 2", "1A 2A", stable=2, canary=2, theirs=1),
        lambda now: transitions.retire(now, 1),
        "label 'theirs' points at version 1",
    ),
    "a rollback with nothing to go back to": (
        current("1", "1A", **ONE),
        transitions.rollback,
        "there is nothing to go back to",
    ),
    "to adopt where nothing serves yet": (
        current(None, "1L", on_disk="1"),
        transitions.adopt,
        "no version serves on every replica yet",
    ),
    "to adopt where the newest failed": (
        current(None, "1A 2F", on_disk="1 2"),
        transitions.adopt,
        "version 2 could not be loaded by r0:1: NOT_FOUND no bundle. Publish a version that loads",
    ),
    "to take up again what a server was told to leave": (
        current("2", "1A 2L", on_disk="1 2"),
        lambda now: transitions.promote(now, 1),
        (
            "version 1 serves on r0:1 only because what should follow it (version 2 is wanted) is "
            "not AVAILABLE, and a server never takes up again what it was told to leave"
        ),
    ),
    "to take up again what is just being left": (
        current("2", "1A 2A", stable=2, canary=2),
        lambda now: transitions.beside(now, 1),
        "version 1 is just being unloaded by r0:1",
    ),
    "a label without its version": (
        current("1", "1A", **ONE),
        lambda _: Desired(frozenset({1}), {"stable": 2}),
        "label 'stable' would point at version 2, which would not be loaded",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("now", "verb", "said"), REFUSALS.values(), ids=REFUSALS)
def test_there_is_none_and_it_says_why(now, verb, said):
    with pytest.raises(Refused) as refusal:
        plan(now, verb(now), down_too=verb is transitions.rollback)
    assert said in str(refusal.value)
