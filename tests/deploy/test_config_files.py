"""Files that servers are told to read: each is what its flag wants, and they fit together."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml
from deploy import compose_file
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
"""What each flag's file holds, as text."""


def parsed(flag, path):
    """The file, read as strictly as TensorFlow Serving does; unknown fields are errors."""
    return text_format.Parse(path.read_text(), MESSAGES[flag]())


def files(service):
    """The flags of a service that name files, with the files."""
    values = compose_file.flag_values(service)
    return {
        name: compose_file.on_this_machine(path, service)
        for name, path in values.items()
        if name.endswith("_file")
    }


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """What `make certs` makes."""
    folder = tmp_path_factory.mktemp("tls") / "certs"
    line = [sys.executable, ROOT / "tools" / "certs.py", "--out", folder]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", compose_file.SERVERS)
def test_every_file_of_a_flag_is_what_the_flag_wants(name, tls):
    made_later = {
        ROOT / "models" / "models.config": CONFIG / "models.config",
        ROOT / "certs" / "ssl.config": tls / "ssl.config",
    }
    found = files(compose_file.services()[name])
    assert found.keys() <= MESSAGES.keys()
    for flag, path in found.items():
        assert parsed(flag, made_later.get(path, path)).ByteSize() > 0


def test_the_first_file_of_record_is_one_that_rollouts_can_change():
    record = ModelConfigFile(CONFIG / "models.config", contract.MODEL_NAME)
    recorded = record.read()
    assert dict(recorded.labels) == {"stable": 1, "canary": 1}
    assert recorded.policy == Policy("specific", frozenset({1}))
    assert record.base_path() == f"/models/{contract.MODEL_NAME}"


def test_metrics_are_where_prometheus_looks():
    told = parsed("monitoring_config_file", CONFIG / "monitoring.config").prometheus_config
    assert told.enable
    scraped = yaml.safe_load((ROOT / "serving/monitoring/prometheus.yml").read_text())
    [job] = [one for one in scraped["scrape_configs"] if one["job_name"] == "serving"]
    assert job["metrics_path"] == told.path


def test_servers_with_tls_want_a_certificate_from_clients(tls):
    told = parsed("ssl_config_file", tls / "ssl.config")
    assert told.client_verify
    assert told.custom_ca
    assert told.server_key.startswith("-----BEGIN")
