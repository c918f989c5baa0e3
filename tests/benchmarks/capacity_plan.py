"""How many replicas a load takes, and which limit comes first. All pure arithmetic.

A replica is what was measured: two cores. Nothing is carried over to replicas of another size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LOAD_SHARE = 0.6
"""Of what a replica can do, what it should have to on a usual day: queues are short there."""
LOAD_SHARE_AFTER_LOSS = 0.9
"""The same while a zone is gone."""
ZONES = 3
"""Replicas are spread over so many, and any one of them may be gone."""

MEMORY_SHARE = 1.5
"""Memory at the limit, against the most that was ever seen."""
MEMORY_STEP = 256
"""Megabytes that requests and limits are multiples of."""

DNS_HEADER, DNS_QUESTION, DNS_ADDRESS, DNS_EXTENSION = 12, 4, 16, 11
"""Bytes of an answer: its head, a question beside the name, an IPv4 address, and EDNS."""
DNS_SIZES = {"UDP": 1232, "TCP": 65_535}
"""The most bytes of one answer: what name servers send by UDP today, and what TCP has room for."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a container should be given, in megabytes."""

    request: int
    limit: int


def replicas(rate: float, of_one: float) -> int:
    """Replicas for so many questions a second, if one can answer `of_one` at the most.

    On a usual day each has its share of the load, and with a zone gone the others still can do it.
    There is one in each zone at least.
    """
    count = max(ZONES, math.ceil(rate / (LOAD_SHARE * of_one)))
    while rate > LOAD_SHARE_AFTER_LOSS * of_one * (count - in_zone(count)):
        count += 1
    return count


def in_zone(count: int) -> int:
    """Replicas that are gone when the zone is that has the most."""
    return math.ceil(count / ZONES)


def stall(threads: int, calls_a_second: float) -> float:
    """Seconds for which a replica may stand still until new calls are refused.

    One of the threads always waits for the next call, so that one call less can run.
    """
    return (threads - 1) / calls_a_second


def answer_bytes(name: str, addresses: int) -> int:
    """Bytes of a DNS answer with all addresses of a service."""
    encoded = len(name.rstrip(".")) + 2
    return DNS_HEADER + encoded + DNS_QUESTION + DNS_ADDRESS * addresses + DNS_EXTENSION


def most_addresses(name: str, size: int) -> int:
    """Addresses of a service that one answer has room for."""
    return (size - answer_bytes(name, 0)) // DNS_ADDRESS


def break_even(single: tuple[float, float], many: tuple[float, float]) -> float | None:
    """The share of questions that come alone from which on batching carries more than none.

    Args:
        single: Questions a second that come alone, with batching and without.
        many: The same of questions that come in large calls.

    Returns:
        The share of all questions; 0 if batching is never worse, None if it is never better.
    """
    saved = 1 / single[1] - 1 / single[0]
    lost = 1 / many[0] - 1 / many[1]
    if lost <= 0:
        return 0.0 if saved >= 0 else None
    return lost / (saved + lost) if saved > 0 else None


def resources(request: float, peak: float) -> Resources:
    """Memory to ask for, and where to end a container that takes more.

    Args:
        request: Megabytes with every version that a rollout has loaded at a time.
        peak: The most megabytes that were ever seen.
    """
    return Resources(_step(request), _step(peak * MEMORY_SHARE))


def _step(megabytes: float) -> int:
    return math.ceil(megabytes / MEMORY_STEP) * MEMORY_STEP
