"""The loader: load, put batching before it, warm up; and leave nothing when a step fails."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference import loader
from seq2sum_serving.embedded.inference.loader import Loader, LoaderOptions
from support import saved_models
from support.scripted_servable import ScriptedServable


def load(version, **options):
    return Loader(LoaderOptions(**options))("m", version, str(saved_models.FIXTURE / str(version)))


class Wrapped(ScriptedServable):
    """Something before a version."""

    def __init__(self, model):
        super().__init__(model.signatures)
        self.model = model

    def run(self, feeds, fetches, *, timeout=None):
        self.fetched.append(fetches)
        return self.model.run(feeds, fetches, timeout=timeout)

    def close(self):
        super().close()
        self.model.close()


def test_a_version_is_warmed_up_through_what_is_put_before_it():
    made = []

    def wrap(model, name, version, path):
        made.append((name, version, path))
        return Wrapped(model)

    servable = load(8, wrap=wrap, warm_up_iterations=3)
    assert isinstance(servable, Wrapped)
    assert len(servable.fetched) == 3
    assert made == [("m", 8, str(saved_models.FIXTURE / "8"))]
    servable.close()


def test_a_failed_warm_up_closes_what_was_loaded():
    made = []

    def wrap(model, *_):
        made.append(Wrapped(model))
        return made[0]

    with pytest.raises(ServingError, match="x must not be negative"):
        load(9, wrap=wrap)
    assert made[0].closed


def test_warm_up_can_be_left_out():
    load(9, warm_up=False).close()


def test_what_cannot_be_put_before_a_version_closes_it(monkeypatch):
    bare = ScriptedServable({})
    monkeypatch.setattr(loader.saved_model, "load", lambda *_, **__: bare)

    def wrap(*_):
        raise ServingError(Code.INVALID_ARGUMENT, "no such batch size")

    with pytest.raises(ServingError, match="no such batch size"):
        load(8, wrap=wrap)
    assert bare.closed
