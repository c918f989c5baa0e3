"""ServerCore with a fake loader: reloads, labels, and the pitfalls of the real server."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.protobuf import text_format
from seq2sum_serving.embedded.config import CoreOptions
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.model_spec import model_spec_of
from seq2sum_serving.embedded.server_core import ServerCore
from support.fake_loader import FakeLoader
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

pytestmark = pytest.mark.tensorflow

PLATFORM = 'model_platform: "tensorflow"'


class Bench:
    """A ServerCore over a folder, with threads that run the manager and poll the source."""

    def __init__(self, folder, **options) -> None:
        self.folder = folder
        self.stop = threading.Event()
        self.core = ServerCore(FakeLoader(), CoreOptions(load_retries=0, **options), self.stop)
        self.pool = ThreadPoolExecutor(4)
        self.threads = [self.pool.submit(self._manage), self.pool.submit(self._poll)]

    def close(self):
        self.stop.set()
        self.pool.shutdown(wait=True)
        for thread in self.threads:
            thread.result()

    def _manage(self):
        while not self.stop.wait(0.001):
            self.core.manager.step()

    def _poll(self):
        while not self.stop.wait(0.002):
            self.core.source.poll()

    def publish(self, *paths):
        for path in paths:
            (self.folder / path).mkdir(parents=True)

    def reload(self, *models):
        """Reloads models: names, or pairs of a name and the rest of its entry."""
        text = "".join(
            f'config {{ name: "{name}" base_path: "{self.folder / name}" {rest} }}'
            for name, rest in (
                (model, PLATFORM) if isinstance(model, str) else model for model in models
            )
        )
        request = model_management_pb2.ReloadConfigRequest()
        text_format.Parse(f"model_config_list {{ {text} }}", request.config)
        return self.core.reload(request)

    def serving(self, model, **choice):
        spec = model_pb2.ModelSpec(name=model)
        if "version" in choice:
            spec.version.value = choice["version"]
        if "label" in choice:
            spec.version_label = choice["label"]
        with self.core.handle(spec) as (version, _):
            return version

    def states(self, model):
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = model
        name = get_model_status_pb2.ModelVersionStatus.State.Name
        rows = self.core.status(request).model_version_status
        return {row.version: name(row.state) for row in rows}

    def wait_for(self, model, **states):
        expected = {int(version.strip("v")): state for version, state in states.items()}
        while self.states(model) != expected:
            assert not any(thread.done() for thread in self.threads)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    made.publish("a/1", "b/3", "broken/7")
    made.reload("a")
    yield made
    made.close()


def refusal(call, *arguments, **more):
    with pytest.raises(ServingError) as caught:
        call(*arguments, **more)
    return caught.value.code, caught.value.message


def label(key, value):
    return (
        f"{PLATFORM} model_version_policy {{ all {{}} }} "
        f'version_labels {{ key: "{key}" value: {value} }}'
    )


def test_reload_that_adds_a_model_returns_when_it_serves(bench):
    bench.reload("a", "b")
    assert bench.serving("b") == 3


def test_removed_model_ends_and_stays_known(bench):
    bench.reload("a", "b")
    bench.reload("a")
    bench.wait_for("b", v3="END")
    assert refusal(bench.serving, "b") == (
        Code.NOT_FOUND,
        "Servable not found for request: Latest(b)",
    )
    bench.reload("a", "b")
    assert bench.serving("b") == 3


def test_empty_list_unloads_everything(bench):
    bench.reload()
    bench.wait_for("a", v1="END")


def test_failure_of_a_new_model_is_reported_once_and_other_models_serve(bench):
    models = ("a", "b", "broken")
    assert refusal(bench.reload, *models) == (
        Code.UNKNOWN,
        (
            "1 model(s) did not become available: {{{name: broken version: 7} due to error: "
            f"NOT_FOUND: no model in {bench.folder / 'broken' / '7'}}}, }}"
        ),
    )
    assert bench.serving("b") == 3
    bench.reload(*models)  # no longer new, so it is not waited for
    assert bench.states("broken") == {7: "END"}


def test_reload_waits_for_a_version_of_a_new_model_and_blocks_the_next_reload(bench):
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(bench.reload, "a", "late")
        while "late" not in bench.core.source.models:
            pass
        second = pool.submit(bench.reload, "a", "b")
        assert bench.serving("a") == 1
        assert not first.done()
        assert not second.done()
        bench.publish("late/4")
        first.result(10)
        second.result(10)
    assert bench.serving("b") == 3


def test_stopping_server_ends_a_waiting_reload(bench):
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bench.reload, "a", "late")
        while "late" not in bench.core.source.models:
            pass
        bench.stop.set()
        assert refusal(waiting.result, 10) == (Code.UNAVAILABLE, "the server is stopping")


def test_new_model_without_a_platform_poisons_the_configuration(bench):
    assert refusal(bench.reload, "a", ("b", ""))[0] is Code.INVALID_ARGUMENT
    for models in (["a"], ["a", "b"], []):
        code, message = refusal(bench.reload, *models)
        assert code is Code.INVALID_ARGUMENT
        assert message.endswith("model name is b")
    assert bench.serving("a") == 1


def test_label_moves_only_to_an_available_version(bench):
    bench.reload(("a", label("stable", 1)))
    assert bench.serving("a", label="stable") == 1
    assert refusal(bench.reload, ("a", label("stable", 2)))[0] is Code.FAILED_PRECONDITION
    bench.publish("a/2")
    bench.wait_for("a", v2="AVAILABLE", v1="AVAILABLE")
    bench.reload(("a", label("stable", 2)))
    assert bench.serving("a", label="stable") == 2


def test_labels_are_replaced_even_if_a_new_model_fails(bench):
    assert refusal(bench.reload, ("a", label("stable", 1)), "broken")[0] is Code.UNKNOWN
    assert bench.serving("a", label="stable") == 1


def test_label_of_an_unloaded_version_is_not_found(bench):
    bench.reload(("a", label("stable", 1)))
    bench.publish("a/2")
    (bench.folder / "a" / "1").rmdir()
    bench.wait_for("a", v2="AVAILABLE", v1="END")
    assert refusal(bench.serving, "a", label="stable") == (
        Code.NOT_FOUND,
        "Servable not found for request: Specific(a, 1)",
    )


def test_version_zero_is_a_version(bench):
    assert refusal(bench.serving, "a", version=0) == (
        Code.NOT_FOUND,
        "Servable not found for request: Specific(a, 0)",
    )


def test_status_error_of_an_unknown_model_names_the_requested_version(bench):
    def status(**spec):
        request = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": "nope", **spec})
        return refusal(bench.core.status, request)

    assert status() == (Code.NOT_FOUND, "Could not find any versions of model nope")
    for version in (2, 0, -1):
        assert status(version={"value": version}) == (
            Code.NOT_FOUND,
            f"Could not find version {version} of model nope",
        )


def test_request_needs_a_model_spec_with_a_name(bench):
    assert refusal(model_spec_of, predict_pb2.PredictRequest()) == (
        Code.INVALID_ARGUMENT,
        "Missing ModelSpec",
    )
    assert refusal(bench.serving, "") == (Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")


def test_request_logging_is_refused_after_the_models_are_loaded(bench):
    logged = ("b", f"{PLATFORM} logging_config {{}}")
    assert refusal(bench.reload, "a", logged) == (
        Code.INVALID_ARGUMENT,
        "No request-logger-creator provided.",
    )
    assert bench.serving("b") == 3
    bench.reload("a")


def test_custom_model_config_is_refused(bench):
    request = model_management_pb2.ReloadConfigRequest()
    request.config.custom_model_config.SetInParent()
    assert refusal(bench.core.reload, request)[0] is Code.INVALID_ARGUMENT


def test_first_reload_of_a_server_without_models_is_like_a_start(tmp_path):
    bench = Bench(tmp_path)
    try:
        bench.publish("broken/7", "a/1")
        bench.core.configure(model_server_config_pb2.ModelServerConfig())
        assert refusal(bench.serving, "a", label="x") == (
            Code.UNAVAILABLE,
            "Model labels does not init yet.x",
        )
        for _ in range(2):  # the second attempt fails at once
            code, message = refusal(bench.reload, "broken")
            assert code is Code.UNKNOWN
            assert message.startswith("1 servable(s) did not become available: {{{name: broken")
        bench.reload("a")
        assert bench.serving("a") == 1
    finally:
        bench.close()


def test_models_have_labels_and_states(bench):
    bench.reload(("a", label("stable", 1)))
    [view] = bench.core.models()
    assert (view.name, view.base_path) == ("a", str(bench.folder / "a"))
    assert view.labels == {"stable": 1}
    assert [(v, entry.state.name) for v, entry in view.versions.items()] == [(1, "AVAILABLE")]
