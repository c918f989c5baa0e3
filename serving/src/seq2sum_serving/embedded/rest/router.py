"""The REST application: sorts requests, and has those of the API answered on worker threads.

The event loop itself answers what needs no model: paths that do not exist, and our own page.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.monitoring import exposition
from seq2sum_serving.embedded.rest import gzip_body, paths, replies
from seq2sum_serving.embedded.rest.api import RestApi, count_request
from seq2sum_serving.embedded.rest.page import Page
from seq2sum_serving.embedded.rest.paths import Target
from seq2sum_serving.embedded.rest.replies import Headers, Reply
from seq2sum_serving.embedded.rest.request_parser import Request

CORS_HEADERS: Headers = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "POST, GET"),
    ("Access-Control-Allow-Headers", "Content-Type"),
)
_ORIGIN = re.compile(rb"https?://")


@dataclass(frozen=True, slots=True)
class RouterOptions:
    """What flags say about the application."""

    cors: bool = False
    """`--rest_api_enable_cors_support`"""
    metrics_path: str | None = None
    """Where Prometheus reads; None for nowhere."""


class Router:
    """Answers HTTP requests."""

    def __init__(
        self, api: RestApi, page: Page, workers: Executor | None, options: RouterOptions
    ) -> None:
        """Makes the application.

        Args:
            api: Answers what is under `/v1/`.
            page: Answers `/`.
            workers: Run blocking calls; None leaves them unanswered.
            options: What flags say.
        """
        self._api = api
        self._page = page
        self._workers = workers
        self._options = options

    async def answer(self, request: Request) -> Reply:
        """Answers one request."""
        if request.verb not in paths.VERBS:
            return replies.error_page(HTTPStatus.NOT_IMPLEMENTED)
        target = paths.target(request.target)
        if target is None:
            return replies.error_page(HTTPStatus.BAD_REQUEST)
        if target.path == self._options.metrics_path:
            return await self._on_worker(self._metrics, target)
        if target.is_api:
            return await self._on_worker(self._call, request, target)
        own = self._page.reply(request.verb, target.path)
        return own or replies.error_page(HTTPStatus.NOT_FOUND)

    async def _on_worker(self, answer: Callable[..., Reply], *arguments: Any) -> Reply:
        loop = asyncio.get_running_loop()
        if self._workers is None:
            await loop.create_future()  # for ever
        return await loop.run_in_executor(self._workers, answer, *arguments)

    def _call(self, request: Request, target: Target) -> Reply:
        if request.verb == "OPTIONS":
            reply = _preflight(request)
        else:
            body = request.body
            if gzip_body.is_compressed(request.headers):
                body = gzip_body.inflated(body)
            reply = self._api.answer(request.verb, target.full, body)
        return replace(reply, headers=CORS_HEADERS) if self._options.cors else reply

    def _metrics(self, target: Target) -> Reply:
        if target.full != self._options.metrics_path:  # with a query
            text = f"Unexpected path: {target.full}. Should be {self._options.metrics_path}"
            return Reply(400, text.encode(), exposition.CONTENT_TYPE)
        # Labels hold what clients sent as names.
        page = exposition.page().encode("utf-8", "replace")
        return Reply(200, page, exposition.CONTENT_TYPE)


def _preflight(request: Request) -> Reply:
    """The answer to OPTIONS: all that counts is that an origin was named."""
    named = _ORIGIN.search(request.headers.get(b"origin", b""))
    code = Code.OK if named else Code.FAILED_PRECONDITION
    count_request("", code)
    return Reply(replies.STATUSES[code], content_type=replies.NOTHING)
