"""serving/envoy: Envoy accepts the configuration without warnings, and its files fit together."""

from __future__ import annotations

import os
import re
import subprocess

from deploy import compose_file, envoy_configuration
from deploy.envoy_configuration import ADMIN, SHIPPED
from deploy.envoy_process import PROGRAM, START


def test_envoy_accepts_the_configuration_without_warnings():
    done = subprocess.run(
        [PROGRAM, "--mode", "validate", "--log-level", "warning", "--config-path", SHIPPED],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout == f"configuration '{SHIPPED}' OK\n"


def test_the_admin_port_is_on_loopback_and_known_to_the_start_script():
    config = envoy_configuration.shipped()
    admin = config["admin"]["address"]["socket_address"]
    assert admin["address"] == "127.0.0.1"
    metrics = envoy_configuration.endpoint(envoy_configuration.cluster(config, ADMIN))
    assert metrics["socket_address"] == admin
    [port] = re.findall(r"ADMIN_PORT:-(\d+)", START.read_text())
    assert int(port) == admin["port_value"]


def test_the_start_script_fails_if_the_configuration_is_invalid(tmp_path):
    invalid = tmp_path / "envoy.yaml"
    invalid.write_text("static_resources: { listeners: [{ nonsense: true }] }\n")
    done = subprocess.run(
        ["bash", START, invalid],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"ENVOY": str(PROGRAM)},
        timeout=60,
    )
    assert done.returncode == 1
    assert "nonsense" in done.stderr


def test_the_servers_behind_envoy_allow_its_pings():
    flags = compose_file.flags(compose_file.services()["replica"])
    assert any(flag.endswith("grpc.http2.max_ping_strikes=0") for flag in flags)
