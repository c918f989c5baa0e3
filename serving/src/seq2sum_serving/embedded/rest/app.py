"""The ASGI application: sorts requests, and has those of the API answered on worker threads.

The event loop itself answers what needs no model: pages that there are not, and our own page.
There is no framework, because the real server's paths follow no framework's rules.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.monitoring import exposition
from seq2sum_serving.embedded.rest import bodies, calls, paths, replies
from seq2sum_serving.embedded.rest.calls import Calls
from seq2sum_serving.embedded.rest.page import Page
from seq2sum_serving.embedded.rest.paths import Target
from seq2sum_serving.embedded.rest.replies import Headers, Reply

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

CORS_HEADERS: Headers = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "POST, GET"),
    ("Access-Control-Allow-Headers", "Content-Type"),
)
_ORIGIN = re.compile(rb"https?://")


@dataclass(frozen=True, slots=True)
class AppOptions:
    """What flags say about the application."""

    cors: bool = False
    """`--rest_api_enable_cors_support`"""
    metrics_path: str | None = None
    """Where Prometheus reads; None for nowhere."""


class _Gone(Exception):
    """The client left before the request was complete."""


class App:
    """Answers HTTP requests."""

    def __init__(
        self, api: Calls, page: Page, workers: Executor | None, options: AppOptions
    ) -> None:
        """Makes the application.

        Args:
            api: Answers what is under `/v1/`.
            page: Answers `/`.
            workers: Where blocking calls run; None for nowhere, which leaves them unanswered.
            options: What flags say.
        """
        self._api = api
        self._page = page
        self._workers = workers
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; the entry point of ASGI."""
        try:
            reply = await self._reply(scope, receive)
        except _Gone:
            return
        headers = [("Content-Type", reply.content_type), ("Content-Length", str(len(reply.body)))]
        await send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": [
                    (name.encode(), value.encode()) for name, value in (*headers, *reply.headers)
                ],
            }
        )
        await send({"type": "http.response.body", "body": reply.body})

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        verb = scope["method"]
        raw = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        target = paths.target(raw)
        is_api = verb in paths.VERBS and target is not None and target.is_api
        # A request is read to its end whatever it is, so that its connection can go on.
        body = await _read(receive, keep=is_api)
        if verb not in paths.VERBS:
            return replies.error_page(HTTPStatus.NOT_IMPLEMENTED)
        if target is None:
            return replies.error_page(HTTPStatus.BAD_REQUEST)
        if target.path == self._options.metrics_path:
            return await self._on_worker(receive, self._metrics, target)
        if is_api:
            return await self._on_worker(receive, self._call, scope, target, body)
        own = self._page.reply(verb, target.path)
        return own or replies.error_page(HTTPStatus.NOT_FOUND)

    async def _on_worker(
        self, receive: Receive, answer: Callable[..., Reply], *arguments: Any
    ) -> Reply:
        if self._workers is None:
            await _wait_for_end(receive)
            raise _Gone
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._workers, answer, *arguments)

    def _call(self, scope: Scope, target: Target, body: bytes) -> Reply:
        verb = scope["method"]
        if verb == "OPTIONS":
            reply = _preflight(scope)
        else:
            if bodies.is_compressed(scope["headers"]):
                body = bodies.inflated(body)
            reply = self._api.answer(verb, target.full, body)
        return replace(reply, headers=CORS_HEADERS) if self._options.cors else reply

    def _metrics(self, target: Target) -> Reply:
        if target.full != self._options.metrics_path:  # with a query
            text = f"Unexpected path: {target.full}. Should be {self._options.metrics_path}"
            return Reply(400, text.encode(), exposition.CONTENT_TYPE)
        # Labels hold what clients sent as names.
        page = exposition.page().encode("utf-8", "replace")
        return Reply(200, page, exposition.CONTENT_TYPE)


def _preflight(scope: Scope) -> Reply:
    """The answer to OPTIONS: all that counts is that an origin was named."""
    named = any(name == b"origin" and _ORIGIN.search(value) for name, value in scope["headers"])
    code = Code.OK if named else Code.FAILED_PRECONDITION
    calls.count("", code)
    return Reply(replies.STATUSES[code], content_type=replies.NOTHING)


async def _read(receive: Receive, *, keep: bool) -> bytes:
    """The whole body, or nothing of it if it is not to be kept."""
    pieces: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        if keep:
            pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _wait_for_end(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
