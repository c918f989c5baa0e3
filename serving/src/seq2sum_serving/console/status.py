"""How things are: versions, labels, replicas, traffic, and what is not as it should be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType

from seq2sum_serving.console import weights as traffic
from seq2sum_serving.console.text import listed, said, sections
from seq2sum_serving.console.timestamps import local_within
from seq2sum_serving.console.versions import Versions, labels, rows
from seq2sum_serving.deployment.drift import drift
from seq2sum_serving.deployment.plain_text import first_line
from seq2sum_serving.deployment.state import Current


def status(current: Current, *, model: str, weights: Mapping[str, float]) -> RenderableType:
    """All of it for a reader."""
    return Group(
        said(model, "bold"),
        "",
        Versions(current),
        "",
        sections(
            [
                ("traffic", traffic.line(weights, current.recorded.labels)),
                ("drift", differences(current)),
                *notes(current),
            ]
        ),
    )


def differences(current: Current) -> RenderableType:
    """The sentences of `drift`, marked so that they are seen without colours."""
    found = drift(current)
    if not found:
        return said("none", "green")
    return listed(found, ["!"] * len(found), style="bold yellow")


def notes(current: Current) -> list[tuple[str, RenderableType]]:
    """Why versions are burned, and why those failed that nobody wants any more."""
    burned = [
        f"version {version}: {local_within(why)}"
        for version, why in sorted(current.burned.items(), reverse=True)
        if version in rows(current)
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
        (name, listed(found, ["-"] * len(found), style="red"))
        for name, found in (("burned", burned), ("failed", failed))
        if found
    ]


def as_json(current: Current, *, model: str, weights: Mapping[str, float]) -> dict[str, Any]:
    """All of it for a program."""
    policy = current.recorded.policy
    return {
        "model": model,
        "stable": current.stable,
        "canary": current.canary,
        "previous": current.previous,
        "policy": {
            "kind": policy.kind,
            "versions": sorted(policy.versions),
            "count": policy.count,
        },
        "versions": [_version(current, version) for version in rows(current)],
        "labels": {
            "recorded": dict(current.recorded.labels),
            "replicas": {
                replica.target: dict(replica.labels) for replica in current.replicas if replica.up
            },
        },
        "replicas": [
            {"target": replica.target, "answers": replica.up, "error": replica.error}
            for replica in current.replicas
        ],
        "weights": dict(weights),
        "burned": {str(version): why for version, why in sorted(current.burned.items())},
        "drift": drift(current),
    }


def _version(current: Current, version: int) -> dict[str, Any]:
    return {
        "version": version,
        "labels": labels(current, version),
        "on_disk": version in current.on_disk,
        "wanted": version in current.aspired,
        "burned": current.burned.get(version),
        "replicas": {
            replica.target: {"state": entry.state.name, "error": entry.error}
            if (entry := replica.versions.get(version)) is not None
            else {"state": None, "error": replica.error}
            for replica in current.replicas
        },
    }
