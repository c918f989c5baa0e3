"""Plans from reachable states: safe steps, or a refusal with its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from seq2sum_serving.deployment.errors import Refused
from seq2sum_serving.deployment.state import Desired
from seq2sum_serving.rollout import transitions
from seq2sum_serving.rollout.planner import (
    AwaitAvailable,
    AwaitLabels,
    AwaitUnloaded,
    AwaitWithdrawn,
    ReloadConfig,
    Settle,
    WriteConfig,
    plan,
)
from support.situations import current, recorded


def write(versions, **labels):
    return WriteConfig(recorded(versions, **labels))


ONE = {"stable": 1, "canary": 1}

PLANS = {
    "adopt a managed model": (current("1", "1A", "1A", **ONE), transitions.adopt, []),
    "adopt the serving version": (
        current(None, "1A", on_disk="1"),
        transitions.adopt,
        [write("1"), write("1", **ONE), AwaitLabels(ONE)],
    ),
    "adopt the newest of all versions and unload the others": (
        current("all", "1A 2A", on_disk="1 2"),
        transitions.adopt,
        [
            write("1 2"),
            write("1 2", stable=2, canary=2),
            AwaitLabels({"stable": 2, "canary": 2}),
            Settle(),
            write("2", stable=2, canary=2),
            AwaitUnloaded((1,)),
        ],
    ),
    "load a version": (
        current("1", "1A", "1A", **ONE),
        lambda now: transitions.load(now, 2),
        [write("1 2", **ONE), AwaitAvailable((2,))],
    ),
    "resume an interrupted load": (
        current("1 2", "1A 2L", "1A 2A", **ONE),
        lambda now: transitions.load(now, 2),
        [ReloadConfig(), AwaitAvailable((2,))],
    ),
    "canary of a loaded version moves the label": (
        current("1 2", "1A 2A", "1A 2A", **ONE),
        lambda now: transitions.start_canary(now, 2),
        [write("1 2", stable=1, canary=2), AwaitLabels({"stable": 1, "canary": 2})],
    ),
    "canary of another version loads it first": (
        current("1", "1A", **ONE),
        lambda now: transitions.start_canary(now, 2),
        [
            write("1 2", **ONE),
            AwaitAvailable((2,)),
            write("1 2", stable=1, canary=2),
            AwaitLabels({"stable": 1, "canary": 2}),
        ],
    ),
    "canary of the canary changes nothing": (
        current("1 2", "1A 2A", stable=1, canary=2),
        lambda now: transitions.start_canary(now, 2),
        [],
    ),
    "promote keeps the former stable version and unloads the previous one": (
        current("1 2 3", "1A 2A 3A", stable=2, canary=3, previous=1),
        lambda now: transitions.promote(now, 3),
        [
            write("1 2 3", stable=3, canary=3, previous=2),
            AwaitLabels({"stable": 3, "canary": 3, "previous": 2}),
            Settle(),
            write("2 3", stable=3, canary=3, previous=2),
            AwaitUnloaded((1,)),
        ],
    ),
    "resume a promotion after its labels moved": (
        current("1 2 3", "1A 2A 3A", stable=3, canary=3, previous=2),
        lambda now: transitions.promote(now, 3),
        [Settle(), write("2 3", stable=3, canary=3, previous=2), AwaitUnloaded((1,))],
    ),
    "promote the stable version": (
        current("2 3", "1E 2A 3A", stable=3, canary=3, previous=2),
        lambda now: transitions.promote(now, 3),
        [],
    ),
    "promote the first version": (
        current("", "", on_disk="1"),
        lambda now: transitions.promote(now, 1),
        [write("1"), AwaitAvailable((1,)), write("1", **ONE), AwaitLabels(ONE)],
    ),
    "rollback takes a canary out in one write": (
        current("1 2", "1A 2A", stable=1, canary=2),
        transitions.rollback,
        [write("1", **ONE), AwaitLabels(ONE), AwaitWithdrawn((2,))],
    ),
    "rollback to the previous version takes the other out in one write": (
        current("1 2", "1A 2A", stable=2, canary=2, previous=1),
        transitions.rollback,
        [write("1", **ONE), AwaitLabels(ONE), AwaitWithdrawn((2,))],
    ),
    "rollback that was interrupted after its write": (
        current("1", "1A 2A", answering={"stable": 2, "canary": 2}, **ONE),
        lambda now: replace(transitions.adopt(now), at_once=True),
        [ReloadConfig(), AwaitLabels(ONE), AwaitWithdrawn((2,))],
    ),
    "rollback to a version that has to be loaded": (
        current("1 2", "2A", stable=2, canary=2, previous=1),
        transitions.rollback,
        [
            ReloadConfig(),
            AwaitAvailable((1,)),
            write("1 2", **ONE),
            AwaitLabels(ONE),
            Settle(),
            write("1", **ONE),
            AwaitUnloaded((2,)),
        ],
    ),
    "rollback skips a replica that is down": (
        current("1 2", "1A 2A", down=1, stable=1, canary=2),
        transitions.rollback,
        [write("1", **ONE), AwaitLabels(ONE), AwaitWithdrawn((2,))],
    ),
    "retire settles before it unloads": (
        current("1 2", "1A 2A", **ONE),
        lambda now: transitions.retire(now, 2),
        [Settle(), write("1", **ONE), AwaitUnloaded((2,))],
    ),
    "retire a version that failed to load": (
        current("1 2", "1A 2F", **ONE),
        lambda now: transitions.retire(now, 2),
        [write("1", **ONE), AwaitUnloaded((2,))],
    ),
    "retire the previous version removes its label": (
        current("1 2", "1A 2A", stable=2, canary=2, previous=1),
        lambda now: transitions.retire(now, 1),
        [
            write("1 2", stable=2, canary=2),
            AwaitLabels({"stable": 2, "canary": 2}),
            Settle(),
            write("2", stable=2, canary=2),
            AwaitUnloaded((1,)),
        ],
    ),
    "keep labels that rollouts do not own, and their versions": (
        current("1 2", "1A 2A 3E", stable=2, canary=2, theirs=1),
        lambda now: transitions.load(now, 3),
        [write("1 2 3", stable=2, canary=2, theirs=1), AwaitAvailable((3,))],
    ),
    "reload a replica that lacks a version": (
        current("1 2", "1A 2A", "1A", stable=1, canary=2),
        lambda now: Desired(now.aspired, now.recorded.labels),
        [ReloadConfig(), AwaitAvailable((2,))],
    ),
    "reload a replica whose label drifted": (
        current("1 2", "1A 2A", answering={"stable": 2, "canary": 2}, stable=1, canary=2),
        lambda now: Desired(now.aspired, now.recorded.labels),
        [ReloadConfig(), AwaitLabels({"stable": 1, "canary": 2})],
    ),
    "reload a replica that still serves an unlisted version": (
        current("1", "1A 2A", "1A 2E", **ONE),
        lambda now: transitions.retire(now, 2),
        [ReloadConfig(), AwaitUnloaded((2,))],
    ),
    "adopt a version without its folder": (
        current("1", "1A", on_disk="", **ONE),
        transitions.adopt,
        [],
    ),
    "promote past a fallback drops the version it fell back to": (
        current(None, "1A 2F", on_disk="1 2 3"),
        lambda now: transitions.promote(now, 3),
        [
            write("3"),
            AwaitAvailable((3,)),
            write("3", stable=3, canary=3),
            AwaitLabels({"stable": 3, "canary": 3}),
            AwaitUnloaded((1,)),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("now", "transition", "steps"), PLANS.values(), ids=PLANS)
def test_plan_returns_safe_steps(now, transition, steps):
    found = plan(now, transition(now), allow_down_replicas=transition is transitions.rollback)
    assert list(found) == steps


REFUSALS = {
    "a version that is not on disk": (
        current("1", "1A", on_disk="1", **ONE),
        lambda now: transitions.load(now, 9),
        "version 9 is not on disk (on disk: 1): add it with `publish DIR`",
    ),
    "a version that failed on a replica": (
        current("1 2", "1A 2A", "1A 2F", **ONE),
        lambda now: transitions.load(now, 2),
        "version 2 could not be loaded by r1:1: NOT_FOUND no bundle. A server does not load",
    ),
    "a version that failed on a replica and is gone from the disk": (
        current("1", "1A 2F", on_disk="1", **ONE),
        lambda now: transitions.load(now, 2),
        "publish the fixed model as version 3",
    ),
    "a burned version": (
        current("1", "1A", burned={2: "failed on Monday: golden"}, **ONE),
        lambda now: transitions.load(now, 2),
        (
            "version 2 failed on Monday: golden. Version numbers are never reused: publish the "
            "fixed model as version 5"
        ),
    ),
    "a replica that is down": (
        current("1", "1A", down=1, **ONE),
        lambda now: transitions.load(now, 2),
        "a replica does not answer (down0:1: UNAVAILABLE gone)",
    ),
    "a rollback with every replica down": (
        current("1 2", down=2, stable=1, canary=2),
        transitions.rollback,
        "a replica does not answer",
    ),
    "without replicas": (current("1", **ONE), transitions.adopt, "no replicas: name the servers"),
    "a second canary": (
        current("1 2", "1A 2A", stable=1, canary=2),
        lambda now: transitions.start_canary(now, 3),
        "version 2 is the canary: end it first with `promote 2` or `rollback`",
    ),
    "promote another version than the canary": (
        current("1 2", "1A 2A", stable=1, canary=2),
        lambda now: transitions.promote(now, 3),
        "version 2 is the canary",
    ),
    "canary of the stable version": (
        current("1", "1A", **ONE),
        lambda now: transitions.start_canary(now, 1),
        "version 1 is already stable",
    ),
    "retire the stable version": (
        current("1 2", "1A 2A", stable=2, canary=2, previous=1),
        lambda now: transitions.retire(now, 2),
        "version 2 is stable: promote another version first",
    ),
    "retire the canary": (
        current("1 2", "1A 2A", stable=1, canary=2),
        lambda now: transitions.retire(now, 2),
        "version 2 is the canary",
    ),
    "retire a version with a label that rollouts do not own": (
        current("1 2", "1A 2A", stable=2, canary=2, theirs=1),
        lambda now: transitions.retire(now, 1),
        "label 'theirs' points at version 1",
    ),
    "rollback without canary and previous version": (
        current("1", "1A", **ONE),
        transitions.rollback,
        "nothing to roll back",
    ),
    "adopt before a version is AVAILABLE": (
        current(None, "1L", on_disk="1"),
        transitions.adopt,
        "no version is AVAILABLE on every replica yet",
    ),
    "adopt after the newest version failed": (
        current(None, "1A 2F", on_disk="1 2"),
        transitions.adopt,
        "version 2 could not be loaded by r0:1: NOT_FOUND no bundle. Publish a version that loads",
    ),
    "promote a version that a server fell back to": (
        current("2", "1A 2L", on_disk="1 2"),
        lambda now: transitions.promote(now, 1),
        (
            "version 1 still serves on r0:1 only because its successor (version 2 is aspired) is "
            "not AVAILABLE, and a server never aspires again to a version that it was asked to "
            "unload"
        ),
    ),
    "load a version that is being unloaded": (
        current("2", "1A 2A", stable=2, canary=2),
        lambda now: transitions.load(now, 1),
        "version 1 is being unloaded by r0:1",
    ),
    "a label without its version": (
        current("1", "1A", **ONE),
        lambda _: Desired(frozenset({1}), {"stable": 2}),
        "label 'stable' would point at version 2, which would not be loaded",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("now", "transition", "message"), REFUSALS.values(), ids=REFUSALS)
def test_plan_refuses_unsafe_changes(now, transition, message):
    with pytest.raises(Refused) as refusal:
        plan(now, transition(now), allow_down_replicas=transition is transitions.rollback)
    assert message in str(refusal.value)
