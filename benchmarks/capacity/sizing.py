"""Computes the number of replicas for a load, and the limits that are reached first.

Pure arithmetic. A replica is the one that was measured, with two cores; figures are not scaled to
replicas of another size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

UTILIZATION = 0.6
"""Planned load of a replica as a share of its maximum; queues are short at this load."""
UTILIZATION_AFTER_LOSS = 0.9
"""Load of a replica while a zone is down."""
ZONES = 3
"""Number of zones over which replicas are spread; any one of them may be down."""

MEMORY_FACTOR = 1.5
"""Memory limit relative to the highest measured peak."""
MEMORY_STEP = 256
"""Memory requests and limits are multiples of this many megabytes."""

DNS_HEADER, DNS_QUESTION, DNS_ADDRESS, DNS_EXTENSION = 12, 4, 16, 11
"""Bytes of a DNS answer: header, question without the name, an IPv4 address, and EDNS."""
DNS_SIZES = {"UDP": 1232, "TCP": 65_535}
"""Largest answer in bytes: what name servers send over UDP today, and the limit of TCP."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Memory request and limit of a container, in megabytes."""

    request: int
    limit: int


def replicas(rate: float, capacity: float) -> int:
    """Returns the number of replicas for a rate, if each handles at most `capacity`.

    At least one runs in each zone. With all zones up each replica runs at `UTILIZATION`; with
    the largest zone down the others run at `UTILIZATION_AFTER_LOSS`.
    """
    count = max(ZONES, math.ceil(rate / (UTILIZATION * capacity)))
    while rate > UTILIZATION_AFTER_LOSS * capacity * (count - in_largest_zone(count)):
        count += 1
    return count


def in_largest_zone(count: int) -> int:
    """Returns the number of replicas in the largest zone."""
    return math.ceil(count / ZONES)


def longest_stall(threads: int, calls_per_second: float) -> float:
    """Returns the seconds for which a replica may stall before it refuses calls.

    One thread always waits for the next call, so one call fewer can run.
    """
    return (threads - 1) / calls_per_second


def dns_answer_bytes(name: str, addresses: int) -> int:
    """Returns the size of a DNS answer with all addresses of a service."""
    encoded = len(name.rstrip(".")) + 2
    return DNS_HEADER + encoded + DNS_QUESTION + DNS_ADDRESS * addresses + DNS_EXTENSION


def max_addresses(name: str, size: int) -> int:
    """Returns the number of addresses that fit into a DNS answer of this size."""
    return (size - dns_answer_bytes(name, 0)) // DNS_ADDRESS


def break_even(single: tuple[float, float], bulk: tuple[float, float]) -> float | None:
    """Returns the share of single questions above which batching increases throughput.

    Args:
        single: Throughput of single questions with batching and without.
        bulk: Throughput of questions in large calls with batching and without.

    Returns:
        The share of all questions; 0 if batching is never slower, None if it is never faster.
    """
    saved = 1 / single[1] - 1 / single[0]
    lost = 1 / bulk[0] - 1 / bulk[1]
    if lost <= 0:
        return 0.0 if saved >= 0 else None
    return lost / (saved + lost) if saved > 0 else None


def resources(needed: float, peak: float) -> Resources:
    """Returns memory request and limit.

    Args:
        needed: Megabytes with all versions that a rollout has loaded.
        peak: Highest measured peak in megabytes.
    """
    return Resources(_round_up(needed), _round_up(peak * MEMORY_FACTOR))


def _round_up(megabytes: float) -> int:
    return math.ceil(megabytes / MEMORY_STEP) * MEMORY_STEP
