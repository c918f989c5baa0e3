"""The status of a deployment: versions, labels, replicas, traffic and drift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from seq2sum_serving.console import unlabelled
from seq2sum_serving.console import weights as traffic
from seq2sum_serving.console.text import literal, marked_list, sections
from seq2sum_serving.console.timestamps import localize
from seq2sum_serving.console.versions import VersionsTable
from seq2sum_serving.deployment.drift import drift
from seq2sum_serving.deployment.plain_text import first_line
from seq2sum_serving.deployment.state import CANARY, STABLE, Current


def report(
    current: Current,
    *,
    model: str,
    weights: Mapping[str, float],
    candidate: Current | None = None,
    candidate_error: str = "",
) -> RenderableType:
    """Returns the status as text for the terminal.

    Args:
        current: The servers that callers reach.
        model: The model's name.
        weights: Traffic weights by label.
        candidate: The candidate group; None without one, or if its name does not resolve.
        candidate_error: The reason why the candidate group has no known state.
    """
    return Group(
        literal(model, "bold"),
        "",
        VersionsTable(current),
        "",
        sections(
            [
                (
                    "traffic",
                    Text("\n").join(
                        [
                            traffic.line(weights, labels(current, candidate)),
                            *unlabelled.lines(current),
                        ]
                    ),
                ),
                ("drift", drift_list(current)),
                *failures(current),
            ]
        ),
        *candidate_group(current, candidate, candidate_error),
    )


def labels(current: Current, candidate: Current | None) -> Mapping[str, int]:
    """Returns the versions behind the shares of the traffic."""
    if candidate is None or (version := candidate.stable) is None:
        return current.recorded.labels
    return {**current.recorded.labels, CANARY: version}


def candidate_group(
    current: Current, candidate: Current | None, error: str = ""
) -> list[RenderableType]:
    """Returns the versions of the candidate group; nothing without one.

    All labels of its servers are on the candidate. The table shows which version is stable for
    callers, and which is the canary.
    """
    if candidate is None:
        return ["", sections([("candidate group", literal(error))])] if error else []
    roles = {CANARY: candidate.stable, STABLE: current.stable}
    known = {label: version for label, version in roles.items() if version is not None}
    shown = replace(candidate, recorded=replace(candidate.recorded, labels=known))
    return [
        "",
        literal("candidate group", "bold"),
        "",
        VersionsTable(shown, max_rows=2),
        "",
        sections([("drift", drift_list(candidate))]),
    ]


def drift_list(current: Current) -> RenderableType:
    """Returns a line for each config drift; the mark `!` makes it stand out without colors."""
    found = drift(current)
    if not found:
        return literal("none", "green")
    return marked_list(found, ["!"] * len(found), style="bold yellow")


def failures(current: Current) -> list[tuple[str, RenderableType]]:
    """Returns why versions are burned, and why versions failed that are no longer aspired."""
    burned = [
        f"version {version}: {localize(reason)}"
        for version, reason in sorted(current.burned.items(), reverse=True)
        if version in current.known_versions
    ]
    failed = [
        f"version {version} on {replica.target}: {first_line(replica.failure(version))}"
        for replica in current.replicas
        for version in sorted(replica.versions, reverse=True)
        if replica.failure(version)
        and version not in current.aspired
        and version not in current.burned
    ]
    return [
        (name, marked_list(found, ["-"] * len(found), style="red"))
        for name, found in (("burned", burned), ("failed", failed))
        if found
    ]


def as_json(
    current: Current,
    *,
    model: str,
    weights: Mapping[str, float],
    candidate: Current | None = None,
    candidate_error: str = "",
) -> dict[str, Any]:
    """Returns the status as JSON values; arguments as in `report`."""
    values = _group(current) | {
        "model": model,
        "weights": dict(weights),
        "unlabelled": unlabelled.versions(current),
    }
    if candidate is not None:
        values["candidate_group"] = _group(candidate)
    elif candidate_error:
        values["candidate_group"] = {"error": candidate_error}
    return values


def _group(current: Current) -> dict[str, Any]:
    """Returns the state of a group of servers as JSON values."""
    policy = current.recorded.policy
    return {
        "stable": current.stable,
        "canary": current.canary,
        "previous": current.previous,
        "policy": {
            "kind": policy.kind,
            "versions": sorted(policy.versions),
            "count": policy.count,
        },
        "versions": [_version(current, version) for version in current.known_versions],
        "labels": {
            "recorded": dict(current.recorded.labels),
            "replicas": {
                replica.target: dict(replica.labels) for replica in current.replicas if replica.up
            },
        },
        "replicas": [
            {"target": replica.target, "up": replica.up, "error": replica.error}
            for replica in current.replicas
        ],
        "burned": {str(version): reason for version, reason in sorted(current.burned.items())},
        "drift": drift(current),
    }


def _version(current: Current, version: int) -> dict[str, Any]:
    return {
        "version": version,
        "labels": current.labels_of(version),
        "on_disk": version in current.on_disk,
        "aspired": version in current.aspired,
        "burned": current.burned.get(version),
        "replicas": {
            replica.target: {"state": entry.state.name, "error": entry.error}
            if (entry := replica.versions.get(version)) is not None
            else {"state": None, "error": replica.error}
            for replica in current.replicas
        },
    }
