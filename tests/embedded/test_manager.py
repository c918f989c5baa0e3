"""The lifecycle manager, run step by step with a fake loader."""

from __future__ import annotations

import threading

import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.lifecycle.manager import Manager
from seq2sum_serving.embedded.lifecycle.states import State, StateMonitor
from support.fake_loader import FakeLoader

MODEL = "m"


class Bench:
    """A manager with a monitor and a fake loader."""

    def __init__(self, **options) -> None:
        self.monitor = StateMonitor()
        self.loader = FakeLoader()
        self.manager = Manager(self.loader, self.monitor, **options)

    def aspire(self, *versions, model=MODEL, broken=()):
        paths = {v: f"/models/{'broken' if v in broken else 'good'}/{v}" for v in versions}
        self.manager.set_aspired(model, paths)

    def settle(self):
        for _ in range(100):
            if not self.manager.step():
                return
        raise AssertionError("the manager did not settle within 100 steps")

    def apply(self, *versions, **options):
        self.aspire(*versions, **options)
        self.settle()

    def states(self, model=MODEL):
        return {v: entry.state.name for v, entry in self.monitor.versions(model).items()}

    def serving(self, version=None, model=MODEL):
        with self.manager.handle(model, version) as (number, _):
            return number


@pytest.fixture
def bench():
    return Bench()


def test_aspired_version_is_loaded_and_serves(bench):
    bench.apply(1)
    assert bench.states() == {1: "AVAILABLE"}
    with bench.manager.handle(MODEL, None) as (number, servable):
        assert number == 1
        assert servable.path == "/models/good/1"


def test_newer_version_replaces_the_older_one(bench):
    bench.apply(1)
    bench.apply(2)
    assert bench.states() == {2: "AVAILABLE", 1: "END"}
    assert bench.serving() == 2
    assert [servable.closed for servable in bench.loader.loaded] == [True, False]


def test_some_version_serves_at_every_step_of_a_swap(bench):
    bench.apply(1)
    bench.aspire(2)
    numbers = [bench.serving()]
    while bench.manager.step():
        numbers.append(bench.serving())
    assert numbers == [1, 2, 2]


def test_unloads_come_before_loads_and_newest_versions_first(bench):
    bench.aspire(1)
    bench.aspire(5, 3, model="other")
    states = []
    while bench.manager.step():
        states.append(bench.states("other"))
    assert states == [
        {5: "AVAILABLE", 3: "START"},
        {5: "AVAILABLE", 3: "AVAILABLE"},
        {5: "AVAILABLE", 3: "AVAILABLE"},
    ]
    bench.aspire(2)
    bench.aspire(model="other")
    bench.manager.step()
    assert bench.states("other") == {5: "AVAILABLE", 3: "END"}
    assert bench.states() == {2: "START", 1: "AVAILABLE"}


def test_latest_version_is_the_largest_number_that_serves(bench):
    bench.apply(1, 3, 2)
    assert bench.serving() == 3
    assert bench.serving(1) == 1


def test_broken_version_ends_with_its_error_and_the_old_one_serves_on(bench):
    bench.apply(1)
    bench.apply(2, broken=[2])
    assert bench.states() == {2: "END", 1: "AVAILABLE"}
    error = bench.monitor.versions(MODEL)[2].error
    assert error.code is Code.NOT_FOUND
    assert error.__traceback__ is None  # it would keep the objects of the load alive
    assert bench.serving() == 1


def test_broken_version_is_not_retried_while_it_is_aspired(bench):
    bench.apply(2, broken=[2])
    bench.apply(2)
    assert bench.states() == {2: "END"}
    assert bench.loader.loaded == []


def test_failed_load_is_retried():
    pauses = []
    bench = Bench(retries=2, pause=lambda: pauses.append("pause"))
    bench.loader.failures_to_come = 2
    bench.apply(1)
    assert bench.states() == {1: "AVAILABLE"}
    assert (bench.loader.attempts, pauses) == (3, ["pause", "pause"])


def test_version_that_fails_the_check_is_not_loaded():
    def check(model, version, path):
        checked.append((model, version, path))
        if version == 2:
            raise ServingError(Code.NOT_FOUND, f"{path} not found")

    checked = []
    bench = Bench(retries=2, pause=lambda: pytest.fail("no retry is expected"), check=check)
    bench.apply(1)
    bench.apply(2)
    assert bench.states() == {1: "AVAILABLE", 2: "END"}
    assert bench.monitor.versions(MODEL)[2].error.message == "/models/good/2 not found"
    assert bench.loader.attempts == 1
    assert checked == [(MODEL, 1, "/models/good/1"), (MODEL, 2, "/models/good/2")]


@pytest.mark.parametrize(("gives_up", "attempts"), [(False, 3), (True, 1)])
def test_retries_end_at_their_limit_or_when_the_server_stops(gives_up, attempts):
    """The check is not repeated: a version whose folder is removed meanwhile stays LOADING."""
    checked = []
    bench = Bench(retries=2, pause=lambda: gives_up, check=lambda *_: checked.append(1))
    bench.apply(1, broken=[1])
    assert bench.states() == {1: "END"}
    assert (bench.loader.attempts, len(checked)) == (attempts, 1)


def test_repeated_load_error_is_logged_a_few_times(caplog):
    bench = Bench(retries=500, pause=lambda: False)
    bench.apply(1, broken=[1])
    failed = [record for record in caplog.records if "failed" in record.message]
    assert bench.loader.attempts == 501
    assert len(failed) < 5
    assert "500 attempts left" in failed[0].message
    assert "publish it under a new number" in failed[-1].message


def test_replaced_version_is_not_retried():
    pauses = []

    def pause():
        pauses.append("pause")
        bench.aspire(2)
        bench.manager.step()
        return False

    bench = Bench(retries=100, pause=pause, load_threads=1)
    bench.aspire(1, broken=[1])
    bench.manager.step()
    bench.manager.set_load_threads(0)  # waits for the load
    bench.settle()
    assert pauses == ["pause"]
    assert bench.states() == {2: "AVAILABLE", 1: "END"}
    assert bench.monitor.versions(MODEL)[1].error is not None


def test_retries_without_load_threads_block_every_model():
    states = []

    def pause():
        bench.aspire(1, model="other")
        states.append(bench.states("other"))
        return False

    bench = Bench(retries=2, pause=pause)
    bench.apply(1, broken=[1])
    assert states == [{}, {}]
    assert bench.states("other") == {1: "AVAILABLE"}


def test_unloaded_version_can_be_aspired_again(bench):
    bench.apply(1)
    bench.apply()
    assert bench.states() == {1: "END"}
    bench.apply(1)
    assert bench.states() == {1: "AVAILABLE"}


def test_version_that_serves_unaspired_cannot_be_aspired_again(bench):
    """The real server has this trap too, and rollouts have to handle it."""
    bench.apply(1)
    bench.apply(2, broken=[2])
    bench.apply(1, 3)
    assert bench.states() == {2: "END", 1: "AVAILABLE"}
    bench.apply(3)
    assert bench.states() == {3: "AVAILABLE", 2: "END", 1: "END"}


def test_last_set_of_aspired_versions_counts(bench):
    bench.aspire(1)
    bench.apply(2)
    assert bench.states() == {2: "AVAILABLE"}


def test_models_are_independent(bench):
    bench.aspire(1)
    bench.apply(7, model="other", broken=[7])
    assert bench.states() == {1: "AVAILABLE"}
    assert bench.states("other") == {7: "END"}


@pytest.mark.parametrize(
    ("model", "version", "name"),
    [
        (MODEL, 2, "Specific(m, 2)"),
        (MODEL, 0, "Specific(m, 0)"),
        ("nope", None, "Latest(nope)"),
        ("nope", 1, "Specific(nope, 1)"),
    ],
)
def test_missing_version_has_tensorflow_servings_message(bench, model, version, name):
    bench.apply(1)
    with pytest.raises(ServingError) as caught, bench.manager.handle(model, version):
        pass
    assert caught.value.code is Code.NOT_FOUND
    assert caught.value.message == f"Servable not found for request: {name}"


def test_unload_waits_for_running_requests(bench):
    bench.apply(1)
    old = bench.loader.loaded[0]
    bench.aspire(2)
    bench.manager.step()  # loads 2
    with bench.manager.handle(MODEL, 1):
        unloading = threading.Thread(target=bench.manager.step)
        unloading.start()
        while bench.states()[1] != "UNLOADING":
            pass
        assert bench.serving() == 2  # new requests are served meanwhile
        assert not old.closed
        assert unloading.is_alive()
    unloading.join(10)
    assert old.closed
    assert bench.states() == {2: "AVAILABLE", 1: "END"}


def test_long_request_blocks_loads_of_every_model(bench):
    bench.apply(1)
    with bench.manager.handle(MODEL, None):
        bench.aspire(1, model="other")
        loading = threading.Thread(target=bench.manager.step)
        loading.start()
        while bench.states("other") != {1: "LOADING"} or not bench.loader.loaded[1:]:
            pass
        loading.join(0.2)
        assert bench.states("other") == {1: "LOADING"}
    loading.join(10)
    assert bench.states("other") == {1: "AVAILABLE"}


def test_failing_request_releases_its_handle(bench):
    bench.apply(1)
    with pytest.raises(RuntimeError), bench.manager.handle(MODEL, None):
        raise RuntimeError
    bench.apply()
    assert bench.states() == {1: "END"}


def test_invalid_state_transition_is_a_bug():
    monitor = StateMonitor()
    with pytest.raises(AssertionError, match="END to AVAILABLE"):
        monitor.publish(MODEL, 1, State.AVAILABLE)
