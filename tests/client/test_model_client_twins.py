"""Both clients of any model have the same interface."""

from __future__ import annotations

import inspect

import pytest
import seq2sum

SYNC, ASYNC = seq2sum.ModelClient, seq2sum.AsyncModelClient
METHODS = sorted(name for name in dir(SYNC) if not name.startswith("_"))


def test_both_clients_have_the_same_methods():
    assert sorted(name for name in dir(ASYNC) if not name.startswith("_")) == METHODS
    assert {"predict", "predict_stream", "classify", "regress", "versions"} <= set(METHODS)
    assert SYNC.__init__ is ASYNC.__init__


@pytest.mark.parametrize("name", METHODS)
def test_both_clients_have_the_same_signatures_and_summaries(name):
    sync, twin = getattr(SYNC, name), getattr(ASYNC, name)
    assert inspect.iscoroutinefunction(twin) != ("stream" in name)
    expected, found = (inspect.signature(method).parameters for method in (sync, twin))
    assert list(found) == list(expected)
    for parameter in expected.values():
        same = found[parameter.name]
        assert (same.kind, same.default) == (parameter.kind, parameter.default)
        if "stream" not in name:
            assert same.annotation == parameter.annotation
    expected_return = inspect.signature(sync).return_annotation
    assert inspect.signature(twin).return_annotation.replace("Async", "") == expected_return
    first_lines = [inspect.getdoc(method).splitlines()[0] for method in (sync, twin)]
    assert first_lines[0] == first_lines[1]
