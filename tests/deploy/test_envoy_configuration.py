"""serving/envoy: Envoy accepts the configuration without warnings, and its files fit together."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from deploy import compose_file, envoy_configuration
from deploy.envoy_configuration import ADMIN, ROUTER, SHIPPED
from deploy.envoy_process import PROGRAM, START
from seq2sum_serving.deployment.routers import envoy_routes
from seq2sum_serving.deployment.routers.router import Shares

ROUTES = SHIPPED.with_name("routes.json")


def validate(path):
    """Returns exit code and output of Envoy's validation of a configuration."""
    done = subprocess.run(
        [PROGRAM, "--mode", "validate", "--log-level", "warning", "--config-path", path],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout


def routes_source(config):
    """Returns the part of the configuration with the path of the routes."""
    [listener] = [one for one in config["static_resources"]["listeners"] if one["name"] == ROUTER]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    assert manager["rds"]["route_config_name"] == envoy_routes.NAME
    return manager["rds"]["config_source"]["path_config_source"]


def test_envoy_accepts_the_configuration_and_the_routes_without_warnings(tmp_path):
    config = envoy_configuration.shipped()
    source = routes_source(config)
    source |= {"path": str(ROUTES), "watched_directory": {"path": str(ROUTES.parent)}}
    path = envoy_configuration.write(config, tmp_path)
    assert validate(path) == (0, f"configuration '{path}' OK\n")
    # The routes alone are not validated until Envoy reads them: here as part of the configuration.
    [listener, _] = config["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["rds"]
    manager["route_config"] = envoy_routes.route_configuration(Shares(candidate=10, mirror=5))
    del manager["route_config"]["@type"]
    path = envoy_configuration.write(config, tmp_path)
    assert validate(path) == (0, f"configuration '{path}' OK\n")


def test_the_default_routes_send_everything_to_the_stable_group():
    """To change them: write what `render` returns to the file."""
    assert ROUTES.read_text() == envoy_routes.render(Shares())


def test_the_start_script_copies_the_routes_to_where_envoy_reads_them():
    source = routes_source(envoy_configuration.shipped())
    assert f"ROUTES_COPY:-{source['path']}}}" in START.read_text()
    assert source["watched_directory"]["path"] == str(Path(source["path"]).parent)


def test_the_admin_port_is_on_loopback_and_known_to_the_start_script():
    config = envoy_configuration.shipped()
    admin = config["admin"]["address"]["socket_address"]
    assert admin["address"] == "127.0.0.1"
    metrics = envoy_configuration.endpoint(envoy_configuration.cluster(config, ADMIN))
    assert metrics["socket_address"] == admin
    [port] = re.findall(r"ADMIN_PORT:-(\d+)", START.read_text())
    assert int(port) == admin["port_value"]


def test_the_start_script_fails_if_the_configuration_is_invalid(tmp_path):
    invalid = tmp_path / "router.yaml"
    invalid.write_text("static_resources: { listeners: [{ nonsense: true }] }\n")
    done = subprocess.run(
        ["bash", START, invalid],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ
        | {"ENVOY": str(PROGRAM), "ROUTES_COPY": str(tmp_path / "copy" / "routes.json")},
        timeout=60,
    )
    assert done.returncode == 1
    assert "nonsense" in done.stderr


def test_the_servers_behind_envoy_allow_its_pings():
    flags = compose_file.flags(compose_file.services()["replica"])
    assert any(flag.endswith("grpc.http2.max_ping_strikes=0") for flag in flags)
