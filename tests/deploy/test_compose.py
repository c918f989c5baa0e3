"""docker-compose.yml: the stock container with flags that it has, on the folder that we fill."""

from __future__ import annotations

import re

import pytest
import yaml
from conftest import ROOT
from seq2sum import contract

REAL_FLAGS = {
    "port",
    "grpc_socket_path",
    "rest_api_port",
    "rest_api_num_threads",
    "rest_api_timeout_in_ms",
    "rest_api_enable_cors_support",
    "grpc_max_threads",
    "grpc_channel_arguments",
    "enable_batching",
    "batching_parameters_file",
    "enable_per_model_batching_parameters",
    "model_name",
    "model_base_path",
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "allow_version_labels_for_unavailable_models",
    "num_load_threads",
    "num_unload_threads",
    "max_num_load_retries",
    "load_retry_interval_micros",
    "file_system_poll_wait_seconds",
    "flush_filesystem_caches",
    "tensorflow_session_parallelism",
    "tensorflow_intra_op_parallelism",
    "tensorflow_inter_op_parallelism",
    "tensorflow_session_config_file",
    "platform_config_file",
    "per_process_gpu_memory_fraction",
    "saved_model_tags",
    "use_alts_credentials",
    "ssl_config_file",
    "enable_model_warmup",
    "num_request_iterations_for_warmup",
    "monitoring_config_file",
    "remove_unused_fields_from_bundle_metagraph",
    "enable_signature_method_name_check",
    "enable_profiler",
    "enable_grpc_healthcheck_service",
    "enable_serialization_as_tensor_content",
    "thread_pool_factory_config_file",
    "mixed_precision",
    "skip_initialize_tpu",
    "xla_cpu_compilation_enabled",
    "xla_gpu_compilation_enabled",
    "prefer_tflite_model",
    "num_tflite_pools",
    "num_tflite_interpreters_per_pool",
    "version",
}
"""Flags of tensorflow_model_server 2.21. It only warns of others, and does without them."""


@pytest.fixture(scope="module")
def serving():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["serving"]


@pytest.fixture(scope="module")
def flags(serving):
    return dict(flag.removeprefix("--").split("=", 1) for flag in serving["command"])


def test_every_flag_is_one_that_the_server_has(serving, flags):
    assert all(re.fullmatch(r"--\w+=\S+", flag) for flag in serving["command"])
    assert set(flags) <= REAL_FLAGS


def test_the_image_is_pinned(serving):
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", serving["image"])


def test_it_serves_the_folder_that_export_fills(serving, flags):
    assert serving["volumes"] == ["./models:/models:ro"]
    assert flags["model_name"] == contract.MODEL_NAME
    assert flags["model_base_path"] == f"/models/{contract.MODEL_NAME}"


def test_ports_are_those_of_the_flags_and_on_loopback(serving, flags):
    published = {f"127.0.0.1:{port}:{port}" for port in (flags["port"], flags["rest_api_port"])}
    assert set(serving["ports"]) == published


def test_it_may_do_no_more_than_it_needs(serving):
    assert serving["read_only"] is True
    assert serving["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in serving["security_opt"]
    assert not serving["user"].startswith("0")


def test_the_health_check_uses_what_is_in_the_image(serving, flags):
    kind, shell, _, script = serving["healthcheck"]["test"]
    assert (kind, shell) == ("CMD", "bash")
    assert f"/dev/tcp/127.0.0.1/{flags['port']}" in script
