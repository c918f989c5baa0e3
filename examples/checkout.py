"""A checkout service that has the model add up prices: how an application uses seq2sum.

    python examples/checkout.py localhost:8500 12+30 7+5 99+1

Many customers are served at a time, each by a task. Their single questions share calls
(`coalescing`) and have a deadline. An invalid question, or a server that is down or overloaded,
affects no other customer.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import seq2sum

TIMEOUT_SECONDS = 2.0
MIN_CONFIDENCE = 0.9
"""Sums with less confidence are checked by hand."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The result for one customer."""

    items: str
    """The prices, like `12+30`."""
    total: int | None
    """Their sum; None if there is none."""
    note: str = ""
    """A message for the customer if the sum is missing."""


class CheckoutService:
    """Adds up prices.

    Args:
        client: The client to use. The service does not close it.
    """

    def __init__(self, client: seq2sum.AsyncClient) -> None:
        self._client = client

    async def serve(self, items: str) -> Receipt:
        """Returns the receipt for one customer."""
        try:
            answer = await self._client.add(items, timeout=TIMEOUT_SECONDS)
        except seq2sum.InvalidQuestion as error:
            return Receipt(items, None, str(error))
        except seq2sum.Overloaded:
            return Receipt(items, None, "very busy, please queue again")
        except (seq2sum.Unavailable, seq2sum.DeadlineExceeded) as error:
            return Receipt(items, None, f"the checkout is down: {error.details}")
        if answer.value is None or answer.confidence < MIN_CONFIDENCE:
            return Receipt(items, None, "please wait, this is added up by hand")
        return Receipt(items, answer.value)

    async def serve_all(self, queue: Sequence[str]) -> list[Receipt]:
        """Returns the receipts of customers who come at the same time."""
        return await asyncio.gather(*(self.serve(items) for items in queue))


async def main(target: str, queue: Sequence[str]) -> int:
    """Serves all customers; returns the exit code."""
    async with seq2sum.AsyncClient(target, coalescing=seq2sum.Coalescing()) as client:
        try:
            await client.wait_until_available(timeout=10)
        except seq2sum.CallError as error:
            print(f"closed today: {error}", file=sys.stderr)
            return 1
        for receipt in await CheckoutService(client).serve_all(queue):
            print(f"{receipt.items} = {receipt.total}" if not receipt.note else receipt.note)
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: checkout.py HOST:PORT A+B [A+B ...]")
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2:])))
