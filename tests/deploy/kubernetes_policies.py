"""Evaluates NetworkPolicies as Kubernetes defines them.

Supports what our policies use: peers by labels, and ports by number. Anything else raises
NotImplementedError, so that no policy is misinterpreted.
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
    namespace_labels: Labels


def reaches(
    policies: Iterable[Rules], source: Pod, target: Pod, port: int, protocol: str = "TCP"
) -> bool:
    """Returns whether both ends allow a connection."""
    known = list(policies)
    return _allows(known, "Egress", source, target, port, protocol) and _allows(
        known, "Ingress", target, source, port, protocol
    )


def _allows(
    policies: list[Rules], direction: str, pod: Pod, other: Pod, port: int, protocol: str
) -> bool:
    """Returns whether the policies that select the pod allow the connection, or none selects it."""
    selecting = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == pod.namespace
        and direction in policy["spec"]["policyTypes"]
        and matches(policy["spec"]["podSelector"], pod.labels)
    ]
    kind, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    return not selecting or any(
        _allows_peer(rule.get(peers), pod, other)
        and _allows_port(rule.get("ports"), port, protocol)
        for spec in selecting
        for rule in spec.get(kind, ())
    )


def _allows_peer(peers: list[Rules] | None, pod: Pod, other: Pod) -> bool:
    """Returns whether the other end is a peer; a rule without peers allows all."""
    return not peers or any(_is_peer(peer, pod, other) for peer in peers)


def _is_peer(peer: Rules, pod: Pod, other: Pod) -> bool:
    if unsupported := peer.keys() - {"podSelector", "namespaceSelector"}:
        raise NotImplementedError(f"unsupported peer fields: {unsupported}")
    if "namespaceSelector" in peer:
        in_namespace = matches(peer["namespaceSelector"], other.namespace_labels)
    else:
        in_namespace = other.namespace == pod.namespace
    return in_namespace and matches(peer.get("podSelector", {}), other.labels)


def _allows_port(ports: list[Rules] | None, port: int, protocol: str) -> bool:
    """Returns whether the port is in the list; a rule without ports allows all."""
    if ports and (unsupported := {type(each.get("port")) for each in ports} - {int}):
        raise NotImplementedError(f"unsupported port types: {unsupported}")
    return not ports or any(
        each["port"] == port and each.get("protocol", "TCP") == protocol for each in ports
    )


def matches(selector: Rules, labels: Labels) -> bool:
    """Returns whether labels fulfil all conditions of a selector; an empty one matches all."""
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        _holds(condition, labels) for condition in selector.get("matchExpressions", ())
    )


def _holds(condition: Rules, labels: Labels) -> bool:
    value = labels.get(condition["key"])
    match condition["operator"]:
        case "In":
            return value in condition["values"]
        case "NotIn":  # also true without the label
            return value not in condition["values"]
        case other:
            raise NotImplementedError(f"unsupported label selector operator: {other}")
