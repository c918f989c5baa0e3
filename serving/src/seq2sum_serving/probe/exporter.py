"""Rounds without an end, and the page on which Prometheus finds what the last one saw."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.probe.counters import Totals, added
from seq2sum_serving.probe.findings import Problem, problems
from seq2sum_serving.probe.metrics import families
from seq2sum_serving.probe.observation import Sight
from seq2sum_serving.probe.prober import Lookout

Tell = Callable[[str], None]


class Published(Collector):
    """What a scrape finds: the last whole round, of one model."""

    def __init__(self, model: str) -> None:
        self._model = model
        # Until a round has ended, the beginning of the prober stands for the end of one: so one
        # that hangs in its first round is told from one that has just begun.
        self.last: tuple[Sight, Totals] = (Sight(ended=time.time()), {})

    def publish(self, sight: Sight) -> None:
        """Puts a round in the place of the one before, as a whole."""
        self.last = (sight, added(self.last[1], sight))

    def collect(self) -> Iterable[Metric]:
        """The metrics."""
        return families(*self.last, model=self._model)


@contextmanager
def page(published: Published, *, host: str, port: int) -> Iterator[str]:
    """Serves the page while the context is open; gives its address.

    Raises:
        Failed: It cannot listen there.
    """
    registry = CollectorRegistry()
    registry.register(published)
    ProcessCollector(registry=registry)
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except (OSError, OverflowError) as error:
        told = getattr(error, "strerror", None) or error
        raise Failed(
            f"cannot listen on port {port} of {host}: {told}. Choose another one with --port"
        ) from error
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def watch(lookout: Lookout, published: Published, *, every: float, tell: Tell) -> None:
    """Looks again and again, as often as that, until it is interrupted.

    Args:
        lookout: What looks.
        published: Where rounds are put.
        every: Seconds from the beginning of a round to that of the next; one that takes longer
            is followed at once.
        tell: Told each problem when it comes and when it is over.
    """
    before: list[Problem] = []
    for number in itertools.count():
        began = time.monotonic()
        sight = lookout.look(number)
        published.publish(sight)
        now = problems(sight)
        for line in news(before, now):
            tell(line)
        before = now
        time.sleep(max(0.0, began + every - time.monotonic()))


def news(before: Sequence[Problem], now: Sequence[Problem]) -> list[str]:
    """What has come, and what is over."""
    known, found = ({problem.about for problem in some} for some in (before, now))
    return [
        *(problem.text for problem in now if problem.about not in known),
        *(f"over: {problem.text}" for problem in before if problem.about not in found),
    ]
