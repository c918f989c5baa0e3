"""serving/envoy/router.yaml with the addresses, ports and intervals of a test."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from support.paths import ROOT

SHIPPED = ROOT / "serving" / "envoy" / "router.yaml"
ROUTER, METRICS = "router", "metrics"
"""Names of the listeners."""
STABLE, CANDIDATE, ADMIN = "stable", "candidate", "admin"
REST = {STABLE: "stable-rest", CANDIDATE: "candidate-rest"}
"""Names of the clusters."""


def shipped() -> dict:
    """Returns the configuration unchanged, with a copy in place of each YAML alias."""
    return json.loads(json.dumps(yaml.safe_load(SHIPPED.read_text())))


def adapted(
    *, ports: dict[str, int], replica_port: int, rest_port: int, name_server_port: int, routes: Path
) -> dict:
    """Returns the configuration on loopback ports and with another DNS server.

    Args:
        ports: The ports of the listeners and of `admin`, by name.
        replica_port: The gRPC port of every replica.
        rest_port: The REST port of every replica.
        name_server_port: The port of a DNS server that resolves the names of the groups.
        routes: The copy of the routes file.
    """
    config = shipped()
    for listener in config["static_resources"]["listeners"]:
        _move(listener["address"], ports[listener["name"]])
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        if "rds" in manager:
            manager["rds"]["config_source"]["path_config_source"] = {
                "path": str(routes),
                "watched_directory": {"path": str(routes.parent)},
            }
    _move(config["admin"]["address"], ports[ADMIN])
    _move(endpoint(cluster(config, ADMIN)), ports[ADMIN])
    for group, rest in REST.items():
        for name, port in ((group, replica_port), (rest, rest_port)):
            endpoint(cluster(config, name))["socket_address"]["port_value"] = port
            dns = cluster(config, name)["cluster_type"]["typed_config"]
            dns["typed_dns_resolver_config"]["typed_config"]["resolvers"] = [
                {"socket_address": {"address": "127.0.0.1", "port_value": name_server_port}}
            ]
    return config


def shorten_intervals(config: dict) -> None:
    """Shortens the intervals of health checks, ejections and DNS lookups."""
    for name in (*REST, *REST.values()):
        group = cluster(config, name)
        [check] = group["health_checks"]
        check |= {"interval": "0.3s", "timeout": "0.5s", "no_traffic_interval": "0.3s"}
        group["outlier_detection"] |= {"interval": "0.2s", "base_ejection_time": "1s"}
        dns = group["cluster_type"]["typed_config"]
        dns |= {
            "dns_refresh_rate": "0.3s",
            "dns_failure_refresh_rate": {"base_interval": "0.3s", "max_interval": "0.3s"},
        }


def cluster(config: dict, name: str) -> dict:
    """Returns a cluster by its name."""
    [found] = [each for each in config["static_resources"]["clusters"] if each["name"] == name]
    return found


def endpoint(cluster: dict) -> dict:
    """Returns the address of a cluster with a single endpoint."""
    [locality] = cluster["load_assignment"]["endpoints"]
    [found] = locality["lb_endpoints"]
    return found["endpoint"]["address"]


def write(config: dict, folder: Path) -> Path:
    """Writes the configuration to a file, and returns its path."""
    path = folder / "router.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def _move(address: dict, port: int) -> None:
    address["socket_address"] = {"address": "127.0.0.1", "port_value": port}
