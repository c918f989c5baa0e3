"""Several processes of one server: what is said between them, and who has the port."""

from __future__ import annotations

import os
import socket
import threading
from concurrent.futures import Future
from multiprocessing import Pipe

import pytest
from seq2sum_serving.embedded import flags
from seq2sum_serving.embedded.errors import Code, ServingError, StartupError
from seq2sum_serving.embedded.monitoring.exposition import sums
from seq2sum_serving.embedded.monitoring.sampler import Distribution
from seq2sum_serving.embedded.reservation import Reservation
from seq2sum_serving.embedded.startup import configuration
from seq2sum_serving.embedded.workers.dispatcher import Line, answer
from seq2sum_serving.embedded.workers.loader import ReplicatedLoader
from support import servers

SECONDS = 30


class Replicas:
    """Two of them, the second of which cannot load what is in `broken`."""

    def __init__(self, asked):
        self.asked = asked

    def ask(self, verb, *arguments):
        self.asked.append((verb, *arguments[:2]))
        first, second = Future(), Future()
        first.set_result(None)
        if verb == "load" and "broken there" in arguments[2]:
            second.set_exception(ServingError(Code.NOT_FOUND, "not there"))
        else:
            second.set_result(None)
        return [first, second]


class Version:
    """What the loader of this process makes."""

    signatures = {"a": 1}  # noqa: RUF012

    def __init__(self, asked):
        self.asked = asked

    def run(self, feeds, fetches, *, timeout=None):
        return feeds, fetches, timeout

    def close(self):
        self.asked.append("closed here")


@pytest.fixture
def asked():
    """Whatever was asked of the replicas, in order."""
    return []


@pytest.fixture
def load(asked):
    def here(model, version, path):  # noqa: ARG001
        asked.append("loaded here")
        if "broken here" in path:
            raise ServingError(Code.INTERNAL, "not here")
        return Version(asked)

    return ReplicatedLoader(here, Replicas(asked))


def test_a_version_is_loaded_everywhere_before_anybody_answers_with_it(load, asked):
    servable = load("m", 1, "/m/1")
    assert asked == [("load", "m", 1), "loaded here", ("add", "m", 1)]
    assert servable.run({}, [], timeout=1) == ({}, [], 1)
    assert servable.signatures == {"a": 1}


def test_a_version_is_closed_everywhere(load, asked):
    servable = load("m", 1, "/m/1")
    del asked[:]
    servable.close()
    assert asked == [("close", "m", 1), "closed here"]


@pytest.mark.parametrize(
    ("path", "said", "after"),
    [
        ("broken there", "NOT_FOUND: not there", [("close", "m", 1), "closed here"]),
        ("broken here", "INTERNAL: not here", [("close", "m", 1)]),
        ("broken here, broken there", "INTERNAL: not here", [("close", "m", 1)]),
    ],
)
def test_what_fails_in_one_process_is_closed_in_all(load, asked, path, said, after):
    with pytest.raises(ServingError) as raised:
        load("m", 1, path)
    assert str(raised.value) == said
    assert asked == [("load", "m", 1), "loaded here", *after]


class Verbs:
    """What a replica does here."""

    def __init__(self):
        self.go = threading.Event()

    def add(self, a, b):
        return a + b

    def refuse(self):
        raise ServingError(Code.NOT_FOUND, "no such version")

    def fail(self):
        raise ValueError("of its own")

    def wait(self):
        return self.go.wait(SECONDS)


@pytest.fixture
def verbs():
    return Verbs()


@pytest.fixture
def line(verbs):
    ours, theirs = Pipe()
    line = Line(ours, "replica 1")
    ends = [
        threading.Thread(target=line.read),
        threading.Thread(target=answer, args=(theirs, lambda verb: getattr(verbs, verb))),
    ]
    for end in ends:
        end.start()
    yield line
    verbs.go.set()
    with socket.socket(fileno=os.dup(theirs.fileno())) as both_ways:
        both_ways.shutdown(socket.SHUT_RDWR)
    for end in ends:
        end.join()
    theirs.close()


def test_answers_and_errors_come_back_and_nobody_waits_for_another(line, verbs):
    long = line.ask("wait")
    assert line.ask("add", 1, 2).result(SECONDS) == 3
    with pytest.raises(ServingError) as raised:
        line.ask("refuse").result(SECONDS)
    assert (raised.value.code, raised.value.message) == (Code.NOT_FOUND, "no such version")
    with pytest.raises(ServingError, match="ValueError: of its own"):
        line.ask("fail").result(SECONDS)
    assert not long.done()
    verbs.go.set()
    assert long.result(SECONDS) is True


def test_when_a_replica_has_ended_nobody_waits_for_it():
    ours, theirs = Pipe()
    line = Line(ours, "replica 1")
    before = line.ask("wait")
    theirs.close()
    line.read()
    for asked in (before, line.ask("wait")):
        with pytest.raises(ServingError, match="replica 1 has ended"):
            asked.result(SECONDS)


def taken(open_port):
    try:
        open_port().close()
    except (OSError, StartupError):
        return True
    return False


def test_a_port_is_shared_with_nobody_else():
    port = servers.free_port()
    where = ("127.0.0.1", port)

    def share():
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.bind(where)
            one.listen()
            return one.dup()

    ours = Reservation(*where)
    others = [lambda: Reservation(*where), lambda: socket.create_server(where)]
    with socket.socket() as early:
        assert early.connect_ex(where) != 0  # nobody waits for who does not serve yet
    assert all(map(taken, [*others, share]))
    ours.share()
    with share(), share():
        assert all(map(taken, others))
    assert all(map(taken, others))
    ours.close()
    assert not any(map(taken, others))


def test_metrics_add_up_cell_by_cell():
    one = {"count": {("m", "OK"): 2.0}, "empty": {}}
    two = {"count": {("m", "BAD"): 1.0, ("m", "OK"): 3.0}, "empty": {}}
    assert sums([one, two]) == {"count": {("m", "OK"): 5.0, ("m", "BAD"): 1.0}, "empty": {}}


def test_distributions_add_up_bucket_by_bucket():
    added = sums(
        [
            {"t": {("b",): Distribution((1, 2), 3.5)}},
            {"t": {("a",): Distribution((1, 0), 1.0)}},
            {"t": {("b",): Distribution((0, 1), 10.0)}},
        ]
    )
    assert added == {"t": {("a",): Distribution((1, 0), 1.0), ("b",): Distribution((1, 3), 13.5)}}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--server_processes=0", "--server_processes=0: at least 1"),
        ("--server_processes=-2", "--server_processes=-2: at least 1"),
        ("--server_processes=2 --port=0 --grpc_socket_path=/s", "they need a --port to share"),
    ],
)
def test_processes_that_cannot_be_are_refused(line, said):
    with pytest.raises(StartupError, match=said):
        configuration(flags.parse(["--model_base_path=/models/m", *line.split()]))


def test_where_a_port_is_not_shared_out_there_is_one_process(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(StartupError, match="only Linux"):
        configuration(flags.parse(["--model_base_path=/m", "--server_processes=2"]))
    assert configuration(flags.parse(["--model_base_path=/m"])).processes == 1
