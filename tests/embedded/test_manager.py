"""The manager, step by step, with a loader that only pretends."""

from __future__ import annotations

import threading

import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.lifecycle.manager import Manager
from seq2sum_serving.embedded.lifecycle.states import State, StateMonitor
from support.fake_loader import FakeLoader

MODEL = "m"


class Bench:
    """A manager with its surroundings."""

    def __init__(self, **how) -> None:
        self.monitor = StateMonitor()
        self.loader = FakeLoader()
        self.manager = Manager(self.loader, self.monitor, **how)

    def aspire(self, *versions, model=MODEL, broken=()):
        paths = {v: f"/models/{'broken' if v in broken else 'good'}/{v}" for v in versions}
        self.manager.set_aspired(model, paths)

    def settle(self):
        for _ in range(100):
            if not self.manager.step():
                return
        raise AssertionError("the manager never comes to rest")

    def states(self, model=MODEL):
        return {v: entry.state.name for v, entry in self.monitor.versions(model).items()}

    def serving(self, version=None, model=MODEL):
        with self.manager.handle(model, version) as (number, _):
            return number


@pytest.fixture
def bench():
    return Bench()


def test_an_aspired_version_is_loaded_and_serves(bench):
    bench.aspire(1)
    bench.settle()
    assert bench.states() == {1: "AVAILABLE"}
    with bench.manager.handle(MODEL, None) as (number, servable):
        assert number == 1
        assert servable.path == "/models/good/1"


def test_the_newer_version_takes_over_and_the_older_one_is_unloaded(bench):
    bench.aspire(1)
    bench.settle()
    bench.aspire(2)
    bench.settle()
    assert bench.states() == {2: "AVAILABLE", 1: "END"}
    assert bench.serving() == 2
    assert [servable.closed for servable in bench.loader.loaded] == [True, False]


def test_at_every_step_of_a_swap_some_version_serves(bench):
    bench.aspire(1)
    bench.settle()
    bench.aspire(2)
    numbers = [bench.serving()]
    while bench.manager.step():
        numbers.append(bench.serving())
    assert numbers == [1, 2, 2]


def test_unloads_come_before_loads_and_newest_versions_first(bench):
    bench.aspire(1)
    bench.aspire(5, 3, model="other")
    seen = []
    while bench.manager.step():
        seen.append((bench.states(), bench.states("other")))
    assert [versions for _, versions in seen] == [
        {5: "AVAILABLE", 3: "START"},
        {5: "AVAILABLE", 3: "AVAILABLE"},
        {5: "AVAILABLE", 3: "AVAILABLE"},
    ]
    bench.aspire(2)
    bench.aspire(model="other")
    bench.manager.step()
    assert bench.states("other") == {5: "AVAILABLE", 3: "END"}
    assert bench.states() == {2: "START", 1: "AVAILABLE"}


def test_the_latest_is_the_largest_number_that_serves(bench):
    bench.aspire(1, 3, 2)
    bench.settle()
    assert bench.serving() == 3
    assert bench.serving(1) == 1


def test_a_broken_version_ends_with_its_error_and_the_old_one_goes_on(bench):
    bench.aspire(1)
    bench.settle()
    bench.aspire(2, broken=[2])
    bench.settle()
    assert bench.states() == {2: "END", 1: "AVAILABLE"}
    error = bench.monitor.versions(MODEL)[2].error
    assert error.code is Code.NOT_FOUND
    assert error.__traceback__ is None  # it would keep whatever the load had in its hands
    assert bench.serving() == 1


def test_a_broken_version_is_not_tried_again_while_it_is_aspired(bench):
    bench.aspire(2, broken=[2])
    bench.settle()
    bench.aspire(2)
    bench.settle()
    assert bench.states() == {2: "END"}
    assert bench.loader.loaded == []


def test_a_failed_load_is_tried_again_as_often_as_asked():
    pauses = []
    bench = Bench(retries=2, pause=lambda: pauses.append("pause"))
    bench.loader.failures_to_come = 2
    bench.aspire(1)
    bench.settle()
    assert bench.states() == {1: "AVAILABLE"}
    assert (bench.loader.attempts, pauses) == (3, ["pause", "pause"])


def test_a_version_that_fails_the_check_ends_without_an_attempt_to_load_it():
    def check(model, version, path):
        checked.append((model, version, path))
        if version == 2:
            raise ServingError(Code.NOT_FOUND, f"{path} not found")

    checked = []
    bench = Bench(retries=2, pause=lambda: pytest.fail("there is nothing to wait for"), check=check)
    bench.aspire(1)
    bench.settle()
    bench.aspire(2)
    bench.settle()
    assert bench.states() == {1: "AVAILABLE", 2: "END"}
    assert bench.monitor.versions(MODEL)[2].error.message == "/models/good/2 not found"
    assert bench.loader.attempts == 1
    assert checked == [(MODEL, 1, "/models/good/1"), (MODEL, 2, "/models/good/2")]


def test_the_check_is_not_repeated_with_the_attempts():
    """A version whose folder is gone meanwhile stays LOADING until its retries are over."""
    checked = []
    bench = Bench(retries=2, pause=lambda: False, check=lambda *_: checked.append(1))
    bench.aspire(1, broken=[1])
    bench.settle()
    assert (bench.loader.attempts, len(checked)) == (3, 1)


def test_the_same_error_of_many_attempts_is_logged_a_few_times(caplog):
    bench = Bench(retries=500, pause=lambda: False)
    bench.aspire(1, broken=[1])
    bench.settle()
    failed = [record for record in caplog.records if "failed" in record.message]
    assert bench.loader.attempts == 501
    assert len(failed) < 5
    assert "500 attempts left" in failed[0].message
    assert "publish it under a new number" in failed[-1].message


def test_a_version_that_a_newer_one_replaced_is_not_tried_again():
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


def test_without_load_threads_a_version_that_is_tried_again_holds_up_every_model():
    seen = []

    def pause():
        bench.aspire(1, model="other")
        seen.append(bench.states("other"))
        return False

    bench = Bench(retries=2, pause=pause)
    bench.aspire(1, broken=[1])
    bench.settle()
    assert seen == [{}, {}]
    assert bench.states("other") == {1: "AVAILABLE"}


def test_retries_come_to_an_end():
    bench = Bench(retries=2, pause=lambda: False)
    bench.aspire(1, broken=[1])
    bench.settle()
    assert bench.states() == {1: "END"}
    assert bench.loader.attempts == 3


def test_a_server_that_stops_does_not_try_again():
    bench = Bench(retries=100, pause=lambda: True)
    bench.aspire(1, broken=[1])
    bench.settle()
    assert bench.states() == {1: "END"}
    assert bench.loader.attempts == 1


def test_a_version_that_was_gone_can_come_back(bench):
    bench.aspire(1)
    bench.settle()
    bench.aspire()
    bench.settle()
    assert bench.states() == {1: "END"}
    bench.aspire(1)
    bench.settle()
    assert bench.states() == {1: "AVAILABLE"}


def test_a_version_that_was_dropped_and_fell_back_cannot_be_aspired_again(bench):
    """The real server's trap: whoever rolls out must know it, so it is kept."""
    bench.aspire(1)
    bench.settle()
    bench.aspire(2, broken=[2])
    bench.settle()
    bench.aspire(1, 3)
    bench.settle()
    assert bench.states() == {2: "END", 1: "AVAILABLE"}
    bench.aspire(3)
    bench.settle()
    assert bench.states() == {3: "AVAILABLE", 2: "END", 1: "END"}


def test_only_the_last_word_of_the_source_counts(bench):
    bench.aspire(1)
    bench.aspire(2)
    bench.settle()
    assert bench.states() == {2: "AVAILABLE"}


def test_models_do_not_touch_each_other(bench):
    bench.aspire(1)
    bench.aspire(7, model="other", broken=[7])
    bench.settle()
    assert bench.states() == {1: "AVAILABLE"}
    assert bench.states("other") == {7: "END"}


@pytest.mark.parametrize(
    ("model", "version", "which"),
    [
        (MODEL, 2, "Specific(m, 2)"),
        (MODEL, 0, "Specific(m, 0)"),
        ("nope", None, "Latest(nope)"),
        ("nope", 1, "Specific(nope, 1)"),
    ],
)
def test_what_does_not_serve_is_not_found_in_tensorflow_servings_words(
    bench, model, version, which
):
    bench.aspire(1)
    bench.settle()
    with pytest.raises(ServingError) as caught, bench.manager.handle(model, version):
        pass
    assert caught.value.code is Code.NOT_FOUND
    assert caught.value.message == f"Servable not found for request: {which}"


def test_unloading_waits_for_the_requests_in_flight(bench):
    bench.aspire(1)
    bench.settle()
    old = bench.loader.loaded[0]
    bench.aspire(2)
    bench.manager.step()  # loads 2
    with bench.manager.handle(MODEL, 1):
        unloading = threading.Thread(target=bench.manager.step)
        unloading.start()
        while bench.states()[1] != "UNLOADING":
            pass
        assert bench.serving() == 2  # new requests go on meanwhile
        assert not old.closed
        assert unloading.is_alive()
    unloading.join(10)
    assert old.closed
    assert bench.states() == {2: "AVAILABLE", 1: "END"}


def test_one_long_request_holds_up_the_versions_of_every_model(bench):
    bench.aspire(1)
    bench.settle()
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


def test_a_failing_request_gives_its_handle_back(bench):
    bench.aspire(1)
    bench.settle()
    with pytest.raises(RuntimeError), bench.manager.handle(MODEL, None):
        raise RuntimeError
    bench.aspire()
    bench.settle()
    assert bench.states() == {1: "END"}


def test_a_state_that_cannot_follow_is_a_bug():
    monitor = StateMonitor()
    with pytest.raises(AssertionError, match="END to AVAILABLE"):
        monitor.publish(MODEL, 1, State.AVAILABLE)
