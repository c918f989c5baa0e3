"""The connections of addition's clients: chunks of questions instead of calls, and coalescing."""

from __future__ import annotations

from functools import partial
from typing import Any

from seq2sum._async_connection import AsyncConnection
from seq2sum._calls import PendingCall
from seq2sum._coalescing import Coalescing
from seq2sum._coalescing_tasks import TaskCoalescer
from seq2sum._coalescing_threads import ThreadCoalescer
from seq2sum._connection import Connection
from seq2sum._deadline import Deadline
from seq2sum._options import CallTarget
from seq2sum.addition.answers import Columns
from seq2sum.addition.calls import predict
from seq2sum.addition.chunks import Chunk


class ChunkConnection(Connection):
    """The connection of a `Client`."""

    def __init__(self, *channel: Any, coalescing: Coalescing | None, **configuration: Any) -> None:
        super().__init__(*channel, **configuration)
        self.coalescer = ThreadCoalescer(coalescing, self) if coalescing else None

    def predict(self, chunk: Chunk, target: CallTarget, deadline: Deadline) -> Columns:
        """Makes a Predict and returns its answers."""
        return self.call_with_shadow(partial(predict, chunk), target, deadline)

    def start_merged(
        self, chunk: Chunk, target: CallTarget, deadline: Deadline
    ) -> PendingCall[Columns]:
        """Starts a Predict for several callers; the coalescer bounds the number of those."""
        return self.start_unbounded(partial(predict, chunk), target, deadline)

    def mirror_chunk(self, chunk: Chunk, target: CallTarget, answered: Columns) -> None:
        """Repeats a Predict to the shadow version, if it is sampled."""
        self.mirror(partial(predict, chunk), target, answered)


class AsyncChunkConnection(AsyncConnection):
    """The connection of an `AsyncClient`."""

    def __init__(self, *channel: Any, coalescing: Coalescing | None, **configuration: Any) -> None:
        super().__init__(*channel, **configuration)
        self.coalescer = TaskCoalescer(coalescing, self) if coalescing else None

    async def close(self) -> None:
        """Closes the channel; calls in flight fail, and questions that wait for a call."""
        self._closed = True
        if self.coalescer is not None:
            await self.coalescer.close()
        await super().close()

    async def predict(self, chunk: Chunk, target: CallTarget, deadline: Deadline) -> Columns:
        """Makes a Predict and returns its answers."""
        return await self.call_with_shadow(partial(predict, chunk), target, deadline)

    async def predict_merged(self, chunk: Chunk, target: CallTarget, deadline: Deadline) -> Columns:
        """Makes a Predict for several callers; the coalescer bounds the number of those."""
        return await self.call_unbounded(partial(predict, chunk), target, deadline)
