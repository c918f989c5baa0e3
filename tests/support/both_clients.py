"""Both clients with one synchronous interface, so that each test runs on both."""

from __future__ import annotations

import asyncio
import inspect
import threading

import seq2sum


class BlockingAsyncClient:
    """An AsyncClient with the methods of `Client`; its event loop runs on a separate thread."""

    client_class = seq2sum.AsyncClient

    def __init__(self, *target, **options):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        try:
            self._client = self.client_class(*target, **options)
        except BaseException:
            self._end()
            raise

    def __getattr__(self, name):
        method = getattr(self._client, name)
        if not callable(method):
            return method

        def call(*arguments, **options):
            result = method(*arguments, **options)
            if inspect.isasyncgen(result):
                return self._iterate(result)
            return self._run(result)

        return call

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._run(self._client.close())
        self._end()

    def _run(self, awaitable):
        async def awaited():
            return await awaitable

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result()

    def _iterate(self, generator):
        try:
            while True:
                try:
                    yield self._run(anext(generator))
                except StopAsyncIteration:
                    return
        finally:
            self._run(generator.aclose())

    def _end(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


KINDS = {"sync": seq2sum.Client, "async": BlockingAsyncClient}
"""The client classes by name."""


class BlockingAsyncModelClient(BlockingAsyncClient):
    """An AsyncModelClient with the methods of `ModelClient`."""

    client_class = seq2sum.AsyncModelClient


MODEL_KINDS = {"sync": seq2sum.ModelClient, "async": BlockingAsyncModelClient}
"""The client classes of any model by name."""
