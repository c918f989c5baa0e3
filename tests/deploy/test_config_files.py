"""The files that server flags name: each has the right format, and they fit together."""

from __future__ import annotations

import subprocess
import sys

import pytest
from deploy import compose_file
from deploy import monitoring_files as monitoring
from google.protobuf import text_format
from seq2sum.addition import contract
from seq2sum.protocol.model_server_config_pb2 import ModelServerConfig
from seq2sum_serving.configuration.batching_pb2 import BatchingParameters
from seq2sum_serving.configuration.monitoring_pb2 import MonitoringConfig
from seq2sum_serving.configuration.ssl_pb2 import SSLConfig
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.deployment.state import Policy
from support.paths import ROOT

CONFIG = ROOT / "serving" / "config"
MESSAGES = {
    "model_config_file": ModelServerConfig,
    "batching_parameters_file": BatchingParameters,
    "monitoring_config_file": MonitoringConfig,
    "ssl_config_file": SSLConfig,
}
"""The type of the protobuf message in each flag's file."""


def parse(flag, path):
    """Parses a file as strictly as TensorFlow Serving: unknown fields are errors."""
    return text_format.Parse(path.read_text(), MESSAGES[flag]())


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    """The files of `make certs`."""
    folder = tmp_path_factory.mktemp("tls") / "certs"
    line = [sys.executable, ROOT / "tools" / "certs.py", "--out", folder]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", compose_file.SERVERS)
def test_every_file_has_the_format_of_its_flag(name, certs):
    service = compose_file.services()[name]
    files = {
        flag: compose_file.local_path(path, service)
        for flag, path in compose_file.flag_values(service).items()
        if flag.endswith("_file")
    }
    created_later = {
        ROOT / "models" / "models.config": CONFIG / "models.config",
        ROOT / "models" / "candidate.config": CONFIG / "models.config",
        ROOT / "certs" / "ssl.config": certs / "ssl.config",
    }
    assert files.keys() <= MESSAGES.keys()
    for flag, path in files.items():
        assert parse(flag, created_later.get(path, path)).ByteSize() > 0


def test_rollouts_can_change_the_initial_model_config_file():
    file = ModelConfigFile(CONFIG / "models.config", contract.MODEL_NAME)
    recorded = file.read()
    assert dict(recorded.labels) == {"stable": 1, "canary": 1}
    assert recorded.policy == Policy("specific", frozenset({1}))
    assert file.base_path() == f"/models/{contract.MODEL_NAME}"


def test_metrics_are_at_the_path_that_prometheus_scrapes():
    config = parse("monitoring_config_file", CONFIG / "monitoring.config").prometheus_config
    assert config.enable
    assert config.path == monitoring.job("serving")["metrics_path"]


def test_servers_with_tls_require_a_client_certificate(certs):
    config = parse("ssl_config_file", certs / "ssl.config")
    assert config.client_verify
    assert config.custom_ca
    assert config.server_key.startswith("-----BEGIN")
