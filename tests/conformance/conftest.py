"""The server that all recorded cases share which only ask."""

from __future__ import annotations

import signal

import pytest
from conformance import case
from conformance.subject import Subject
from support import processes

# A case sends SIGHUP; whoever runs the tests may have told their children to ignore it.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def base_subject(tmp_path_factory):
    """The server of all cases that only ask, started as any server is."""
    subject = Subject(case.BASE, tmp_path_factory.mktemp("base") / "server", processes.started)
    try:
        assert subject.wait_until_open(), subject.log.read_text()
        yield subject
    finally:
        subject.stop()
