"""serving/envoy/envoy.yaml, with what differs on this machine: addresses, ports, and haste."""

from __future__ import annotations

from pathlib import Path

import yaml
from support.paths import ROOT

SHIPPED = ROOT / "serving" / "envoy" / "envoy.yaml"
GRPC, METRICS = "grpc", "metrics"
"""Its listeners."""
REPLICA, ADMIN = "replica", "admin"
"""Its clusters."""


def shipped() -> dict:
    """The configuration as it is."""
    return yaml.safe_load(SHIPPED.read_text())


def adapted(*, ports: dict[str, int], replica_port: int, name_server_port: int) -> dict:
    """The configuration on free loopback ports, with another resolver.

    Args:
        ports: Those of the listeners and of `admin`, by name.
        replica_port: That of every replica.
        name_server_port: Where a resolver knows `replica`.
    """
    config = shipped()
    for listener in config["static_resources"]["listeners"]:
        place(listener["address"], ports[listener["name"]])
    place(config["admin"]["address"], ports[ADMIN])
    place(endpoint(cluster(config, ADMIN)), ports[ADMIN])
    endpoint(cluster(config, REPLICA))["socket_address"]["port_value"] = replica_port
    resolver = cluster(config, REPLICA)["cluster_type"]["typed_config"]["typed_dns_resolver_config"]
    resolver["typed_config"]["resolvers"] = [
        {"socket_address": {"address": "127.0.0.1", "port_value": name_server_port}}
    ]
    return config


def hurry(config: dict) -> None:
    """Shortens what tests would wait for: health checks, times out of service, DNS."""
    replica = cluster(config, REPLICA)
    [check] = replica["health_checks"]
    check |= {"interval": "0.3s", "timeout": "0.5s", "no_traffic_interval": "0.3s"}
    replica["outlier_detection"] |= {"interval": "0.2s", "base_ejection_time": "1s"}
    replica["cluster_type"]["typed_config"]["dns_refresh_rate"] = "0.3s"


def cluster(config: dict, name: str) -> dict:
    """A cluster by its name."""
    [found] = [one for one in config["static_resources"]["clusters"] if one["name"] == name]
    return found


def endpoint(found: dict) -> dict:
    """The address of a cluster that has one."""
    [locality] = found["load_assignment"]["endpoints"]
    [one] = locality["lb_endpoints"]
    return one["endpoint"]["address"]


def place(address: dict, port: int) -> None:
    """Moves an address to a loopback port."""
    address["socket_address"] = {"address": "127.0.0.1", "port_value": port}


def written(config: dict, folder: Path) -> Path:
    """A file with the configuration."""
    path = folder / "envoy.yaml"
    path.write_text(yaml.safe_dump(config))
    return path
