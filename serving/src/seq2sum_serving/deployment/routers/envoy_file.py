"""The shares in a routes file of Envoy."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from seq2sum_serving.deployment.routers.envoy_routes import PARTS
from seq2sum_serving.deployment.routers.router import Shares

Parts = Annotated[int, Meta(ge=0, le=PARTS)]


class _Weight(msgspec.Struct):
    name: str
    weight: Parts


class _Weights(msgspec.Struct):
    clusters: list[_Weight]


class _Fraction(msgspec.Struct):
    numerator: Parts


class _Runtime(msgspec.Struct):
    default_value: _Fraction


class _Mirror(msgspec.Struct):
    runtime_fraction: _Runtime


class _Action(msgspec.Struct):
    weighted_clusters: _Weights | None = None
    request_mirror_policies: list[_Mirror] = []


class _Route(msgspec.Struct):
    route: _Action | None = None


class _VirtualHost(msgspec.Struct):
    routes: list[_Route]


class _Configuration(msgspec.Struct):
    virtual_hosts: list[_VirtualHost]


class _File(msgspec.Struct):
    version_info: str
    resources: Annotated[list[_Configuration], Meta(min_length=1, max_length=1)]


def parse(content: bytes) -> tuple[Shares, str]:
    """Returns the shares and the version of a file that `render` wrote, in this release or before.

    Raises:
        ValueError: It is not such a file, or its routes have different shares.
    """
    file = msgspec.json.decode(content, type=_File)
    found = {
        _shares(route.route)
        for host in file.resources[0].virtual_hosts
        for route in host.routes
        if route.route is not None and route.route.weighted_clusters is not None
    }
    if len(found) != 1:
        raise ValueError(f"expected the same shares in all routes, found {len(found)} different")
    return found.pop(), file.version_info


def _shares(action: _Action) -> Shares:
    assert action.weighted_clusters is not None
    weights = action.weighted_clusters.clusters
    total = sum(each.weight for each in weights)
    candidate = sum(each.weight for each in weights if each.name.startswith("candidate"))
    if total != PARTS:
        raise ValueError(f"expected weights with the sum {PARTS}, found {total}")
    mirror = sum(
        each.runtime_fraction.default_value.numerator for each in action.request_mirror_policies
    )
    return Shares(candidate * 100 / PARTS, mirror * 100 / PARTS)
