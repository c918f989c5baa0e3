"""Builds a ServerConfig from flags: reads files and finds contradictions.

Everything that can be checked without TensorFlow is checked here, with the messages and in the
order of model_servers/server.cc.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from seq2sum_serving.configuration.batching_pb2 import BatchingParameters
from seq2sum_serving.configuration.monitoring_pb2 import MonitoringConfig
from seq2sum_serving.configuration.ssl_pb2 import SSLConfig
from seq2sum_serving.embedded.config import (
    GRPC_FRONTS,
    ChannelArgument,
    CoreOptions,
    ServerConfig,
)
from seq2sum_serving.embedded.errors import Code, ServingError, StartupError
from seq2sum_serving.embedded.files import read_text_proto, utf8
from seq2sum_serving.embedded.flags import INT32, INTEGER, Flags
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.lifecycle.models import check_list
from seq2sum_serving.embedded.model_config import models_of, read_model_config, single_model

log = logging.getLogger(__name__)

MAX_PORT = 65535
MAX_GRPC_THREADS = 4096
"""The value for an unlimited `--grpc_max_threads`: a process cannot have unlimited threads."""
DEFAULT_POOL_NAME = "model_server_batch_threads"


def configuration(flags: Flags) -> ServerConfig:
    """Returns the configuration that flags describe, except for what TensorFlow has to read.

    Raises:
        ServingError: A flag or a file is invalid, or flags contradict each other.
    """
    _check_numbers(flags)
    if not flags.port and not flags.grpc_socket_path:
        raise _invalid(
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must be "
            "set."
        )
    if not flags.model_base_path and not flags.model_config_file:
        raise _invalid(
            "Both server_options.model_base_path and server_options.model_config_file are empty!"
        )
    if flags.model_config_file:
        models = read_model_config(flags.model_config_file)
    else:
        if not flags.model_name:
            log.warning("--model_name is empty: requests cannot name the model")
        models = single_model(flags.model_name, utf8(flags.model_base_path))
    batching = _batching(flags)
    ssl = None
    if flags.ssl_config_file:
        ssl = read_text_proto(flags.ssl_config_file, SSLConfig())
    check_list(models_of(models))  # before TensorFlow is loaded; ServerCore checks it again
    rest_port = _rest_port(flags)
    monitoring, monitoring_error = _monitoring(flags) if rest_port else (None, "")
    return ServerConfig(
        models=models,
        model_config_file=flags.model_config_file,
        model_config_file_poll_seconds=flags.model_config_file_poll_wait_seconds,
        core=CoreOptions(
            allow_unavailable_labels=flags.allow_version_labels_for_unavailable_models,
            poll_seconds=flags.file_system_poll_wait_seconds,
            load_threads=flags.num_load_threads,
            unload_threads=flags.num_unload_threads,
            load_retries=max(0, flags.max_num_load_retries),
            retry_seconds=max(0, flags.load_retry_interval_micros) / 1e6,
        ),
        tags=tuple(flags.saved_model_tags.split(",")),
        host=flags.host,
        port=flags.port,
        socket_path=flags.grpc_socket_path,
        grpc_max_threads=flags.grpc_max_threads if flags.grpc_max_threads > 0 else MAX_GRPC_THREADS,
        grpc_front=flags.grpc_front,
        channel_arguments=tuple(_channel_arguments(flags.grpc_channel_arguments)),
        ssl=ssl,
        health=flags.enable_grpc_healthcheck_service,
        grace_seconds=flags.shutdown_grace_seconds,
        rest_port=rest_port,
        rest_threads=flags.rest_api_num_threads,
        rest_timeout_seconds=max(0, flags.rest_api_timeout_in_ms) / 1e3 or None,
        rest_cors=flags.rest_api_enable_cors_support,
        monitoring=monitoring,
        monitoring_error=monitoring_error,
        batching=batching,
        per_model_batching=flags.enable_per_model_batching_parameters,
        warmup=flags.enable_model_warmup,
        warmup_iterations=max(0, flags.num_request_iterations_for_warmup),
        inference=InferenceOptions(
            check_method_names=flags.enable_signature_method_name_check,
            as_tensor_content=flags.enable_serialization_as_tensor_content,
        ),
    )


def _check_numbers(flags: Flags) -> None:
    """Checks numbers; tensorflow_model_server aborts on most invalid ones."""
    for name in ("port", "rest_api_port"):
        if not 0 <= getattr(flags, name) <= MAX_PORT:
            raise _invalid(
                f"invalid --{name}={getattr(flags, name)}: expected a port, 0 to {MAX_PORT}"
            )
    if flags.rest_api_num_threads < 1:
        raise _invalid(
            f"invalid --rest_api_num_threads={flags.rest_api_num_threads}: expected at least 1"
        )
    if flags.grpc_max_threads == 0:
        raise _invalid(
            "invalid --grpc_max_threads=0: expected at least 1, or a negative number for no limit"
        )
    if flags.grpc_front not in GRPC_FRONTS:
        raise _invalid(
            f"invalid --grpc_front={flags.grpc_front}: expected one of {', '.join(GRPC_FRONTS)}"
        )
    if flags.num_load_threads < 0 or flags.num_unload_threads < 0:
        raise _invalid("invalid --num_load_threads or --num_unload_threads: expected at least 0")
    if not flags.shutdown_grace_seconds >= 0:
        raise _invalid(
            f"invalid --shutdown_grace_seconds={flags.shutdown_grace_seconds}: expected at least 0"
        )


def _batching(flags: Flags) -> BatchingParameters | None:
    if not flags.enable_batching:
        if flags.batching_parameters_file:
            raise _invalid(
                "server_options.batching_parameters_file is set without setting "
                "server_options.enable_batching to true."
            )
        return None
    parameters = BatchingParameters()
    if flags.batching_parameters_file:
        return read_text_proto(flags.batching_parameters_file, parameters)
    parameters.thread_pool_name.value = DEFAULT_POOL_NAME
    return parameters


def _rest_port(flags: Flags) -> int:
    if flags.rest_api_port and flags.rest_api_port == flags.port:
        log.error(
            "server_options.http_port cannot be same as grpc_port. Please use a different port "
            "for HTTP/REST API. Skipped exporting HTTP/REST API."
        )
        return 0
    return flags.rest_api_port


def _monitoring(flags: Flags) -> tuple[MonitoringConfig | None, str]:
    """Returns the monitoring configuration, and its error, which does not affect gRPC."""
    if not flags.monitoring_config_file:
        return None, ""
    try:
        return read_text_proto(flags.monitoring_config_file, MonitoringConfig()), ""
    except ServingError as error:
        return None, str(error)


def _channel_arguments(text: str) -> Iterator[ChannelArgument]:
    """Yields names and values; a value is a number if it can be parsed as one."""
    for item in filter(None, text.split(",")):
        name, equals, value = item.partition("=")
        if not equals:
            raise _invalid(f"invalid --grpc_channel_arguments item {item!r}: expected name=value")
        fits = INTEGER.fullmatch(value) and abs(int(value)) < 1 << (INT32 - 1)
        yield name, int(value) if fits else value


def _invalid(text: str) -> StartupError:
    return StartupError(Code.INVALID_ARGUMENT, text)
