"""Fixtures of the recorded cases: the shared server, and the servers of single cases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import processes
import pytest
from conformance import case, differences, replay
from conformance.subject import Subject

AT_A_TIME = 6
"""Servers of single cases; they mostly wait, for polls and timeouts."""
STARTED_PLAINLY = {"shutdown"}
"""Groups that are about the process itself; the others may be forked from a loaded one."""


@pytest.fixture(scope="session")
def base_subject(tmp_path_factory):
    """The server of all cases that only ask, started as any server is."""
    subject = Subject(case.BASE, tmp_path_factory.mktemp("base") / "server", processes.started)
    try:
        assert subject.wait_until_open(), subject.log.read_text()
        yield subject
    finally:
        subject.stop()


@pytest.fixture(scope="session")
def own_results(request, tmp_path_factory):
    """What each selected case with its own server departs in, as futures; several run at once."""
    selected = [
        item.callspec.params["recorded"]
        for item in request.session.items
        if "own_results" in item.fixturenames
    ]
    folder = tmp_path_factory.mktemp("own")
    with ThreadPoolExecutor(AT_A_TIME) as pool:

        def play(one):
            plainly = one.group in STARTED_PLAINLY
            start = processes.started if plainly else processes.forked
            instead = differences.instead(one.id)
            return replay.play_own(one, folder / one.group / one.name, start, instead)

        longest_first = sorted(selected, key=lambda one: one.seconds, reverse=True)
        yield {one.id: pool.submit(play, one) for one in longest_first}
        pool.shutdown(cancel_futures=True)
