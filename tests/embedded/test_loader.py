"""The loader: loads, wraps and warms up a version, and closes it if a step fails."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference import loader
from seq2sum_serving.embedded.inference.loader import Loader
from support import saved_models
from support.scripted_servable import ScriptedServable

pytestmark = pytest.mark.tensorflow


def load(version, **options):
    return Loader(**options)("m", version, str(saved_models.FIXTURE / str(version)))


class WrappedServable(ScriptedServable):
    """Passes runs on to a loaded version."""

    def __init__(self, model):
        super().__init__(model.signatures)
        self.model = model

    def run(self, feeds, fetches, *, timeout=None):
        self.fetched.append(fetches)
        return self.model.run(feeds, fetches, timeout=timeout)

    def close(self):
        super().close()
        self.model.close()


def test_warm_up_runs_through_the_wrapped_servable():
    calls = []

    def wrap(model, name, version, path):
        calls.append((name, version, path))
        return WrappedServable(model)

    servable = load(8, wrap=wrap, warm_up_iterations=3)
    assert isinstance(servable, WrappedServable)
    assert len(servable.fetched) == 3
    assert calls == [("m", 8, str(saved_models.FIXTURE / "8"))]
    servable.close()


def test_a_failed_warm_up_closes_the_version():
    wrapped = []

    def wrap(model, *_):
        wrapped.append(WrappedServable(model))
        return wrapped[0]

    with pytest.raises(ServingError, match="x must not be negative"):
        load(9, wrap=wrap)
    assert wrapped[0].closed


def test_warm_up_can_be_disabled():
    load(9, warm_up=False).close()


def test_a_failed_wrap_closes_the_version(monkeypatch):
    loaded = ScriptedServable({})
    monkeypatch.setattr(loader.saved_model, "load", lambda *_, **__: loaded)

    def wrap(*_):
        raise ServingError(Code.INVALID_ARGUMENT, "no such batch size")

    with pytest.raises(ServingError, match="no such batch size"):
        load(8, wrap=wrap)
    assert loaded.closed
