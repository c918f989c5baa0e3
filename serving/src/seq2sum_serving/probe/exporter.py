"""Runs rounds at an interval and serves their results to Prometheus."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, start_http_server
from prometheus_client.registry import Collector

from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.probe.counters import Counters, accumulate
from seq2sum_serving.probe.findings import Finding, findings
from seq2sum_serving.probe.metrics import merged, metric_families
from seq2sum_serving.probe.observation import Observation, Observations
from seq2sum_serving.probe.prober import Prober

Log = Callable[[str], None]


class ObservationCollector(Collector):
    """Exports the last complete round.

    Args:
        models: The names of the models, for the time before the first round.
    """

    def __init__(self, models: Iterable[str]) -> None:
        # Until the first round is complete, the start of the process stands for its end, so that
        # the alert ProbeSilent also fires for a probe that hangs in its first round.
        start = Observation(finished=time.time())
        self.last: Mapping[str, tuple[Observation, Counters]] = {
            model: (start, {}) for model in models
        }
        """The observation and the counters by model."""

    def update(self, observations: Observations) -> None:
        """Replaces the last round; a concurrent scrape gets either round, never a mix."""
        last = self.last
        self.last = {
            model: (observation, accumulate(last[model][1] if model in last else {}, observation))
            for model, observation in observations.items()
        }

    def collect(self) -> Iterable[Metric]:
        """Returns the metrics."""
        return merged(
            family
            for model, (observation, counters) in self.last.items()
            for family in metric_families(observation, counters, model=model)
        )


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
        observations = prober.run_round(number)
        collector.update(observations)
        current = findings(observations)
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
