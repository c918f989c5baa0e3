"""Both clients have the same interface."""

from __future__ import annotations

import inspect

import pytest
import seq2sum

METHODS = sorted(name for name in dir(seq2sum.Client) if callable(getattr(seq2sum.Client, name)))
METHODS = [name for name in METHODS if not name.startswith("_")]


def test_both_clients_have_the_same_methods():
    assert sorted(name for name in dir(seq2sum.AsyncClient) if not name.startswith("_")) == METHODS
    assert {"add", "add_many", "add_stream", "explain", "versions", "describe"} <= set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_both_clients_have_the_same_signatures_and_summaries(name):
    sync, asynchronous = getattr(seq2sum.Client, name), getattr(seq2sum.AsyncClient, name)
    streams = "stream" in name
    assert inspect.iscoroutinefunction(asynchronous) != streams
    expected, found = (inspect.signature(method).parameters for method in (sync, asynchronous))
    assert list(found) == list(expected)
    for parameter in expected.values():
        same = found[parameter.name]
        assert (same.kind, same.default) == (parameter.kind, parameter.default)
        if not (
            streams and parameter.name in ("questions", "inputs")
        ):  # which may be an async iterable
            assert same.annotation == parameter.annotation
    expected_return = inspect.signature(sync).return_annotation
    assert inspect.signature(asynchronous).return_annotation.replace("Async", "") == expected_return
    first_lines = [inspect.getdoc(method).splitlines()[0] for method in (sync, asynchronous)]
    assert first_lines[0] == first_lines[1]


def test_both_clients_share_their_constructor():
    assert seq2sum.Client.__init__ is seq2sum.AsyncClient.__init__
