"""From flags to a ServerConfig: files are read, contradictions are found.

Everything that needs no TensorFlow is checked here, in TensorFlow Serving's order and words.
"""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Iterator

from seq2sum_serving.configuration.batching_pb2 import BatchingParameters
from seq2sum_serving.configuration.monitoring_pb2 import MonitoringConfig
from seq2sum_serving.configuration.ssl_pb2 import SSLConfig
from seq2sum_serving.embedded import config_file
from seq2sum_serving.embedded.config import ChannelArgument, CoreOptions, ServerConfig
from seq2sum_serving.embedded.errors import Code, ServingError, StartupError
from seq2sum_serving.embedded.files import utf8
from seq2sum_serving.embedded.flags import INT32, INTEGER, Flags
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.lifecycle.models import check_list
from seq2sum_serving.embedded.model_list import models_of, single_model

log = logging.getLogger(__name__)

LARGEST_PORT = 65535
MOST_GRPC_THREADS = 4096
"""Stands for no limit of `--grpc_max_threads`: a process cannot have any number of threads."""
DEFAULT_POOL_NAME = "model_server_batch_threads"


def configuration(flags: Flags) -> ServerConfig:
    """The server that the flags describe; only what TensorFlow has to read is left out.

    Raises:
        ServingError: They describe none.
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
        models = config_file.read(flags.model_config_file)
    else:
        if not flags.model_name:
            log.warning("--model_name is empty: requests cannot name the model")
        models = single_model(flags.model_name, utf8(flags.model_base_path))
    batching = _batching(flags)
    ssl = None
    if flags.ssl_config_file:
        ssl = config_file.read_into(flags.ssl_config_file, SSLConfig())
    check_list(models_of(models))  # the core does so again, after TensorFlow is loaded
    rest_port = _rest_port(flags)
    monitoring, broken = _monitoring(flags) if rest_port else (None, "")
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
        grpc_max_threads=flags.grpc_max_threads
        if flags.grpc_max_threads > 0
        else MOST_GRPC_THREADS,
        processes=flags.server_processes,
        channel_arguments=tuple(_channel_arguments(flags.grpc_channel_arguments)),
        ssl=ssl,
        health=flags.enable_grpc_healthcheck_service,
        grace_seconds=flags.shutdown_grace_seconds,
        rest_port=rest_port,
        rest_threads=flags.rest_api_num_threads,
        rest_timeout_seconds=max(0, flags.rest_api_timeout_in_ms) / 1e3 or None,
        rest_cors=flags.rest_api_enable_cors_support,
        monitoring=monitoring,
        monitoring_broken=broken,
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
    """Refuses numbers that no server can run with; tensorflow_model_server aborts on most."""
    for name in ("port", "rest_api_port"):
        if not 0 <= getattr(flags, name) <= LARGEST_PORT:
            raise _invalid(f"--{name}={getattr(flags, name)}: not a port, 0 to {LARGEST_PORT}")
    if flags.rest_api_num_threads < 1:
        raise _invalid(
            f"invalid --rest_api_num_threads={flags.rest_api_num_threads}: expected at least 1"
        )
    if flags.grpc_max_threads == 0:
        raise _invalid(
            "invalid --grpc_max_threads=0: expected at least 1, or a negative number for no limit"
        )
    _check_processes(flags)
    if flags.num_load_threads < 0 or flags.num_unload_threads < 0:
        raise _invalid("--num_load_threads and --num_unload_threads: at least 0")
    if not flags.shutdown_grace_seconds >= 0:
        raise _invalid(f"--shutdown_grace_seconds={flags.shutdown_grace_seconds}: at least 0")


def _check_processes(flags: Flags) -> None:
    given = f"--server_processes={flags.server_processes}"
    if flags.server_processes < 1:
        raise _invalid(f"{given}: at least 1")
    if flags.server_processes == 1:
        return
    if not flags.port:
        raise _invalid(f"{given}: they need a --port to share")
    # Elsewhere there is the name, and all calls go to one of those who share.
    if sys.platform != "linux" or not hasattr(socket, "SO_REUSEPORT"):
        raise _invalid(f"{given}: only Linux shares a port out; leave it out")


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
        return config_file.read_into(flags.batching_parameters_file, parameters)
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
    """What the file says, and what is wrong with it: nothing that keeps gRPC from serving."""
    if not flags.monitoring_config_file:
        return None, ""
    try:
        return config_file.read_into(flags.monitoring_config_file, MonitoringConfig()), ""
    except ServingError as error:
        return None, str(error)


def _channel_arguments(text: str) -> Iterator[ChannelArgument]:
    """Pairs of a name and a value, which is a number if it can be one."""
    for item in filter(None, text.split(",")):
        name, equals, value = item.partition("=")
        if not equals:
            raise _invalid(f"--grpc_channel_arguments: {item} is not of the form name=value")
        fits = INTEGER.fullmatch(value) and abs(int(value)) < 1 << (INT32 - 1)
        yield name, int(value) if fits else value


def _invalid(text: str) -> StartupError:
    return StartupError(Code.INVALID_ARGUMENT, text)
