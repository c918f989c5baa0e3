"""Both clients behind one face, so that a test of behaviour is written once and run on each."""

from __future__ import annotations

import asyncio
import inspect
import threading

import seq2sum


class Blocking:
    """An AsyncClient on a loop of its own thread, with the methods of the sync client."""

    def __init__(self, *target, **how):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        try:
            self._client = seq2sum.AsyncClient(*target, **how)
        except BaseException:
            self._end()
            raise

    def __getattr__(self, name):
        method = getattr(self._client, name)
        if not callable(method):
            return method

        def call(*given, **how):
            found = method(*given, **how)
            if inspect.isasyncgen(found):
                return self._iterate(found)
            return self._run(found)

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


KINDS = {"sync": seq2sum.Client, "async": Blocking}
"""What makes a client, by name."""
