"""Fixtures for pytest, which nothing loads by itself.

A project enables them with `pytest_plugins = ["seq2sum.testing.fixtures"]` in its top-level
`conftest.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from seq2sum.testing import FakeServer

__all__ = ["fake_server"]


@pytest.fixture
def fake_server() -> Iterator[Callable[..., FakeServer]]:
    """Starts fake servers, with the arguments of `FakeServer`; they are stopped after the test.

    For example:

        def test_checkout(fake_server):
            server = fake_server(model="price", signatures={"serving_default": price})
            assert Checkout(server.target).total(["book"]) == 12.5
    """
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(FakeServer(**options))
