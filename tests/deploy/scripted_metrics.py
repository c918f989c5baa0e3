"""A server whose metrics tests script, on a page as TensorFlow Serving writes it."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Self

from seq2sum_serving.embedded.monitoring.metrics import LATENCY_BUCKETS, QUEUING_BUCKETS
from seq2sum_serving.gates.metric_providers import queries


class ScriptedServer:
    """A server that only has metrics, which runs while a `with` block is open."""

    def __init__(self) -> None:
        self._values: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = scripted.page().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def page(self) -> str:
        """Returns the metrics page."""
        with self._lock:
            return "".join(f"{series} {value:g}\n" for series, value in self._values.items())

    def restart(self) -> None:
        """Forgets all counts."""
        with self._lock:
            self._values.clear()

    def answer(self, count: int, ms: float, *, model: str, api: str = "Predict") -> None:
        """Counts calls that succeeded."""
        entry = "REST" if api in ("", "predict") else "GRPC"
        labels = f'model_name="{model}",API="{api}",entrypoint="{entry}"'
        self._observe(queries.LATENCY, labels, LATENCY_BUCKETS, 1000 * ms, count)
        self.count(queries.CALLS, count, f'model_name="{model}",status="OK"')

    def fail(self, count: int, status: str, *, model: str) -> None:
        """Counts calls that failed."""
        self.count(queries.CALLS, count, f'model_name="{model}",status="{status}"')

    def queue(self, count: int, ms: float) -> None:
        """Counts calls that waited in the batch queue."""
        self._observe(queries.QUEUE, 'thread_pool_name=""', QUEUING_BUCKETS, 1000 * ms, count)

    def load(self, path: str, seconds: float, *, status: str = "success") -> None:
        """Counts a load of a version."""
        self.count(queries.LOAD_TIME, 1e6 * seconds, f'model_path="{path}"')
        self.count(queries.LOADS, 1, f'model_path="{path}",status="{status}"')

    def count(self, name: str, amount: float, labels: str) -> None:
        """Adds to a counter."""
        with self._lock:
            self._values[f"{name}{{{labels}}}"] += amount

    def _observe(
        self, name: str, labels: str, bounds: tuple[float, ...], value: float, count: int
    ) -> None:
        for bound in (*bounds, math.inf):
            le = "+Inf" if bound == math.inf else f"{bound:g}"
            amount = count if value <= bound else 0
            self.count(f"{name}_bucket", amount, f'{labels},le="{le}"')
        self.count(f"{name}_sum", value * count, labels)
        self.count(f"{name}_count", count, labels)
