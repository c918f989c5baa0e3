"""Routes HTTP requests to the API, the metrics and the web page.

Calls of the API run on worker threads. The event loop itself handles what needs no model: paths
that do not exist, and the web page.
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
    """Flags that concern the router."""

    cors: bool = False
    """`--rest_api_enable_cors_support`"""
    metrics_path: str | None = None
    """Path of the Prometheus metrics; None disables them."""


class Router:
    """Handles HTTP requests."""

    def __init__(
        self, api: RestApi, page: Page, workers: Executor | None, options: RouterOptions
    ) -> None:
        """Creates the router.

        Args:
            api: Handles paths under `/v1/`.
            page: Handles `/`.
            workers: Run blocking calls; without them, such calls never get a reply.
            options: Values of flags.
        """
        self._api = api
        self._page = page
        self._workers = workers
        self._options = options

    async def handle(self, request: Request) -> Reply:
        """Handles one request."""
        if request.verb not in paths.VERBS:
            return replies.error_page(HTTPStatus.NOT_IMPLEMENTED)
        target = paths.parse_target(request.target)
        if target is None:
            return replies.error_page(HTTPStatus.BAD_REQUEST)
        if target.path == self._options.metrics_path:
            return await self._on_worker(self._metrics, target)
        if target.is_api:
            return await self._on_worker(self._call, request, target)
        reply = self._page.reply(request.verb, target.path)
        return reply or replies.error_page(HTTPStatus.NOT_FOUND)

    async def _on_worker(self, handler: Callable[..., Reply], *arguments: Any) -> Reply:
        loop = asyncio.get_running_loop()
        if self._workers is None:
            await loop.create_future()  # never completes
        return await loop.run_in_executor(self._workers, handler, *arguments)

    def _call(self, request: Request, target: Target) -> Reply:
        if request.verb == "OPTIONS":
            reply = _preflight(request)
        else:
            body = request.body
            if gzip_body.is_compressed(request.headers):
                body = gzip_body.decompress(body)
            reply = self._api.handle(request.verb, target.full, body)
        return replace(reply, headers=CORS_HEADERS) if self._options.cors else reply

    def _metrics(self, target: Target) -> Reply:
        if target.full != self._options.metrics_path:  # with a query
            text = f"Unexpected path: {target.full}. Should be {self._options.metrics_path}"
            return Reply(400, text.encode(), exposition.CONTENT_TYPE)
        # Labels contain names sent by clients, which may not be valid Unicode.
        page = exposition.page().encode("utf-8", "replace")
        return Reply(200, page, exposition.CONTENT_TYPE)


def _preflight(request: Request) -> Reply:
    """Replies to OPTIONS, which succeeds if the request has an origin."""
    has_origin = _ORIGIN.search(request.headers.get(b"origin", b""))
    code = Code.OK if has_origin else Code.FAILED_PRECONDITION
    count_request("", code)
    return Reply(replies.STATUSES[code], content_type=replies.DEFAULT_CONTENT_TYPE)
