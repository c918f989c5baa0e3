"""What NetworkPolicies let through, as Kubernetes defines it: for tables of who reaches whom.

As far as our policies go: peers by labels and ports by number. Anything else is refused, so that
no policy is taken for something that it is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Rules = Mapping[str, Any]
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pod:
    """One end of a connection."""

    namespace: str
    labels: Labels
    of_namespace: Labels
    """The labels of its namespace."""


def reaches(
    policies: Iterable[Rules], source: Pod, target: Pod, port: int, protocol: str = "TCP"
) -> bool:
    """Whether the one may open a connection to the other: it takes both of them."""
    known = list(policies)
    return _lets(known, "Egress", source, target, port, protocol) and _lets(
        known, "Ingress", target, source, port, protocol
    )


def _lets(
    policies: list[Rules], direction: str, mine: Pod, other: Pod, port: int, protocol: str
) -> bool:
    """Whether a pod's own side does: one that no policy is about is open, else one must let it."""
    about = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == mine.namespace
        and direction in policy["spec"]["policyTypes"]
        and matches(policy["spec"]["podSelector"], mine.labels)
    ]
    kind, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    return not about or any(
        _is_peer(rule.get(peers), mine, other) and _is_port(rule.get("ports"), port, protocol)
        for spec in about
        for rule in spec.get(kind, ())
    )


def _is_peer(peers: list[Rules] | None, mine: Pod, other: Pod) -> bool:
    """Whether the other end is one of the peers; none named means all."""
    return not peers or any(_is_this_peer(peer, mine, other) for peer in peers)


def _is_this_peer(peer: Rules, mine: Pod, other: Pod) -> bool:
    if unknown := peer.keys() - {"podSelector", "namespaceSelector"}:
        raise NotImplementedError(f"a peer by {unknown}")
    if "namespaceSelector" in peer:
        in_namespace = matches(peer["namespaceSelector"], other.of_namespace)
    else:
        in_namespace = other.namespace == mine.namespace
    return in_namespace and matches(peer.get("podSelector", {}), other.labels)


def _is_port(ports: list[Rules] | None, port: int, protocol: str) -> bool:
    """Whether the port is one of these; none named means all."""
    if ports and (unknown := {type(each.get("port")) for each in ports} - {int}):
        raise NotImplementedError(f"a port by {unknown}")
    return not ports or any(
        each["port"] == port and each.get("protocol", "TCP") == protocol for each in ports
    )


def matches(selector: Rules, labels: Labels) -> bool:
    """Whether a label selector does: all of its conditions; an empty one matches everything."""
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        _holds(condition, labels) for condition in selector.get("matchExpressions", ())
    )


def _holds(condition: Rules, labels: Labels) -> bool:
    value = labels.get(condition["key"])
    match condition["operator"]:
        case "In":
            return value in condition["values"]
        case "NotIn":  # what has no such label too
            return value not in condition["values"]
        case other:
            raise NotImplementedError(f"a label selector with {other}")
