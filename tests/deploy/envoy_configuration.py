"""serving/envoy/envoy.yaml with the addresses, ports and intervals of a test."""

from __future__ import annotations

from pathlib import Path

import yaml
from support.paths import ROOT

SHIPPED = ROOT / "serving" / "envoy" / "envoy.yaml"
GRPC, METRICS = "grpc", "metrics"
"""Names of the listeners."""
REPLICA, ADMIN = "replica", "admin"
"""Names of the clusters."""


def shipped() -> dict:
    """Returns the configuration unchanged."""
    return yaml.safe_load(SHIPPED.read_text())


def adapted(*, ports: dict[str, int], replica_port: int, name_server_port: int) -> dict:
    """Returns the configuration on loopback ports and with another DNS server.

    Args:
        ports: The ports of the listeners and of `admin`, by name.
        replica_port: The port of every replica.
        name_server_port: The port of a DNS server that resolves `replica`.
    """
    config = shipped()
    for listener in config["static_resources"]["listeners"]:
        _move(listener["address"], ports[listener["name"]])
    _move(config["admin"]["address"], ports[ADMIN])
    _move(endpoint(cluster(config, ADMIN)), ports[ADMIN])
    endpoint(cluster(config, REPLICA))["socket_address"]["port_value"] = replica_port
    resolver = cluster(config, REPLICA)["cluster_type"]["typed_config"]["typed_dns_resolver_config"]
    resolver["typed_config"]["resolvers"] = [
        {"socket_address": {"address": "127.0.0.1", "port_value": name_server_port}}
    ]
    return config


def shorten_intervals(config: dict) -> None:
    """Shortens the intervals of health checks, ejections and DNS lookups."""
    replica = cluster(config, REPLICA)
    [check] = replica["health_checks"]
    check |= {"interval": "0.3s", "timeout": "0.5s", "no_traffic_interval": "0.3s"}
    replica["outlier_detection"] |= {"interval": "0.2s", "base_ejection_time": "1s"}
    replica["cluster_type"]["typed_config"]["dns_refresh_rate"] = "0.3s"


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
    path = folder / "envoy.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def _move(address: dict, port: int) -> None:
    address["socket_address"] = {"address": "127.0.0.1", "port_value": port}
