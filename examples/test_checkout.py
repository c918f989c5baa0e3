"""The checkout service with a fake server: how an application is tested without a model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import grpc
import pytest
import seq2sum
from checkout import CheckoutService, Receipt
from seq2sum.testing import FakeServer


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A fake server that adds correctly."""
    with FakeServer() as server:
        yield server


def serve_all(server: FakeServer, queue: Sequence[str]) -> list[Receipt]:
    """Returns the receipts of these customers."""

    async def serve() -> list[Receipt]:
        coalescing = seq2sum.Coalescing()
        async with seq2sum.AsyncClient(server.target, coalescing=coalescing) as client:
            return await CheckoutService(client).serve_all(queue)

    return asyncio.run(serve())


def test_concurrent_customers_share_a_call(server: FakeServer) -> None:
    receipts = serve_all(server, [f"{price}+1" for price in range(100)])
    assert [receipt.total for receipt in receipts] == list(range(1, 101))
    assert len(server.calls) == 1


def test_invalid_items_do_not_affect_others(server: FakeServer) -> None:
    good, bad = serve_all(server, ["1+2", "a penny"])
    assert (good.total, bad.total) == (3, None)
    assert "is not a question" in bad.note


def test_overloaded_server_is_noted_on_the_receipt(server: FakeServer) -> None:
    server.fail(grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert serve_all(server, ["1+2"]) == [Receipt("1+2", None, "very busy, please queue again")]


def test_missing_server_is_noted_on_the_receipt(server: FakeServer) -> None:
    server.stop()
    [receipt] = serve_all(server, ["1+2"])
    assert receipt.note.startswith("the checkout is down")


def test_low_confidence_is_checked_by_hand() -> None:
    with FakeServer(confidence=0.5) as server:
        [receipt] = serve_all(server, ["1+2"])
    assert receipt.total is None
