"""The till against a fake server: how an application is tested without a model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import grpc
import pytest
import seq2sum
from checkout import Receipt, Till
from seq2sum.testing import FakeServer


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server that adds up at once, and right."""
    with FakeServer() as server:
        yield server


def served(server: FakeServer, queue: Sequence[str]) -> list[Receipt]:
    """The receipts of these customers."""

    async def serve() -> list[Receipt]:
        coalesce = seq2sum.Coalescing()
        async with seq2sum.AsyncClient(server.target, coalescing=coalesce) as client:
            return await Till(client).serve_all(queue)

    return asyncio.run(serve())


def test_customers_who_come_together_share_a_call(server: FakeServer) -> None:
    receipts = served(server, [f"{price}+1" for price in range(100)])
    assert [receipt.total for receipt in receipts] == list(range(1, 101))
    assert len(server.calls) == 1


def test_one_who_brings_nonsense_holds_up_nobody(server: FakeServer) -> None:
    good, bad = served(server, ["1+2", "a penny"])
    assert (good.total, bad.total) == (3, None)
    assert "is not a question" in bad.note


def test_a_busy_server_is_told(server: FakeServer) -> None:
    server.fail(grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert served(server, ["1+2"]) == [Receipt("1+2", None, "very busy, please queue again")]


def test_a_server_that_is_away_is_told(server: FakeServer) -> None:
    server.stop()
    [receipt] = served(server, ["1+2"])
    assert receipt.note.startswith("the till is down")


def test_what_the_model_is_not_sure_of_is_not_charged() -> None:
    with FakeServer(confidence=0.5) as server:
        [receipt] = served(server, ["1+2"])
    assert receipt.total is None
