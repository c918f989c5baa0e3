"""Runs rounds at an interval and serves their results to Prometheus."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, start_http_server
from prometheus_client.registry import Collector

from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.probe.counters import Counters, accumulate
from seq2sum_serving.probe.findings import Finding, findings
from seq2sum_serving.probe.metrics import metric_families
from seq2sum_serving.probe.observation import Observation
from seq2sum_serving.probe.prober import Prober

Log = Callable[[str], None]


class ObservationCollector(Collector):
    """Exports the last complete round of one model."""

    def __init__(self, model: str) -> None:
        self._model = model
        # Until the first round is complete, the start of the process stands for its end, so that
        # the alert ProbeSilent also fires for a probe that hangs in its first round.
        self.last: tuple[Observation, Counters] = (Observation(finished=time.time()), {})

    def update(self, observation: Observation) -> None:
        """Replaces the last round; a concurrent scrape gets either round, never a mix."""
        self.last = (observation, accumulate(self.last[1], observation))

    def collect(self) -> Iterable[Metric]:
        """Returns the metrics."""
        return metric_families(*self.last, model=self._model)


@contextmanager
def serve_metrics(collector: ObservationCollector, *, host: str, port: int) -> Iterator[str]:
    """Serves the metrics over HTTP while the context is open, and yields their URL.

    Raises:
        Failed: The address is in use or is not one of this machine.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Failed(
            f"cannot listen on port {port} of {host}: {reason}. Choose another port with --port"
        ) from error
    try:
        netloc = f"[{host}]" if ":" in host else host
        yield f"http://{netloc}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def run_rounds(
    prober: Prober, collector: ObservationCollector, *, interval: float, log: Log
) -> None:
    """Runs rounds until it is interrupted.

    Args:
        prober: Runs the rounds.
        collector: Receives their results.
        interval: Seconds from the start of a round to the start of the next. A round that takes
            longer is followed by the next one at once.
        log: Receives each finding when it first occurs and when it is resolved.
    """
    previous: list[Finding] = []
    for number in itertools.count():
        start = time.monotonic()
        observation = prober.run_round(number)
        collector.update(observation)
        current = findings(observation)
        for line in changes(previous, current):
            log(line)
        previous = current
        time.sleep(max(0.0, start + interval - time.monotonic()))


def changes(previous: Sequence[Finding], current: Sequence[Finding]) -> list[str]:
    """Returns a line for each new finding and for each one that is resolved."""
    old, new = ({finding.key for finding in each} for each in (previous, current))
    return [
        *(finding.text for finding in current if finding.key not in old),
        *(f"resolved: {finding.text}" for finding in previous if finding.key not in new),
    ]
