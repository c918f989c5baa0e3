"""serving/envoy as it is shipped: Envoy accepts it without a word, and its parts fit together."""

from __future__ import annotations

import os
import re
import subprocess

from deploy import compose_file, envoy_configuration
from deploy.envoy_configuration import ADMIN, SHIPPED
from deploy.envoy_process import PROGRAM, START


def test_envoy_accepts_it_and_warns_of_nothing():
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


def test_what_can_stop_it_is_for_its_own_machine_and_for_the_script_that_starts_it():
    config = envoy_configuration.shipped()
    admin = config["admin"]["address"]["socket_address"]
    assert admin["address"] == "127.0.0.1"
    metrics = envoy_configuration.endpoint(envoy_configuration.cluster(config, ADMIN))
    assert metrics["socket_address"] == admin
    [told] = re.findall(r"ADMIN_PORT:-(\d+)", START.read_text())
    assert int(told) == admin["port_value"]


def test_a_configuration_that_it_does_not_take_ends_the_script(tmp_path):
    wrong = tmp_path / "envoy.yaml"
    wrong.write_text("static_resources: { listeners: [{ nonsense: true }] }\n")
    done = subprocess.run(
        ["bash", START, wrong],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"ENVOY": str(PROGRAM)},
        timeout=60,
    )
    assert done.returncode == 1
    assert "nonsense" in done.stderr


def test_the_servers_behind_it_allow_its_pings():
    flags = compose_file.flags(compose_file.services()["replica"])
    assert any(flag.endswith("grpc.http2.max_ping_strikes=0") for flag in flags)
