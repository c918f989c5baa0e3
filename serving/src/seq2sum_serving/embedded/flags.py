"""The flags of `tensorflow_model_server`, parsed into a value with a field for each.

Names, defaults, meanings and the syntax of values are those of main.cc and server.h in
model_servers/. Unknown arguments, which the real server ignores, are errors here: a mistyped flag
would silently have no effect.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from typing import Any

from seq2sum_serving.embedded import cpus
from seq2sum_serving.embedded.errors import Code, StartupError

THREADS_PER_CPU = 4
INT32, INT64 = 32, 64
BLANKS = r"[ \t\n\v\f\r]*"
INTEGER = re.compile(BLANKS + r"[-+]?[0-9]+")
DECIMAL = re.compile(BLANKS + r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
"""Numbers as `sscanf` reads them: with leading blanks and nothing after them
(tsl/util/command_line_flags.cc)."""
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
"""Spellings of a boolean in lower case; parsing ignores case."""

SUPPORTED, IGNORED, REFUSED = "", "accepted, without effect", "not supported: refused"
"""Levels of support for a flag, as `--help` shows them."""


def _flag(
    default: Any, text: str, *, support: str = SUPPORTED, bits: int = INT32, unset: bool = False
) -> Any:
    """Declares a flag.

    Args:
        default: Its default value.
        text: Its description in `--help`.
        support: Its level of support.
        bits: Size of an integer.
        unset: Whether an empty value, as of an unset shell variable, means the default.
    """
    return dataclasses.field(
        default=default, metadata={"text": text, "support": support, "bits": bits, "unset": unset}
    )


def _threads() -> int:
    """Returns the real server's default number of threads (model_servers/server.h)."""
    return THREADS_PER_CPU * cpus.usable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The flags of one command line, in the order of `--help`."""

    model_name: str = _flag("default", "name of the model; ignored with --model_config_file")
    model_base_path: str = _flag(
        "", "folder of its numbered versions, absolute; ignored with --model_config_file"
    )
    model_config_file: str = _flag("", "ModelServerConfig as text: the models to serve")
    model_config_file_poll_wait_seconds: int = _flag(
        0, "seconds between reads of the config file; 0: read it once"
    )
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, "let a new label point to a version that is not AVAILABLE"
    )
    file_system_poll_wait_seconds: int = _flag(
        1, "seconds between polls for versions; 0: poll once; negative: never"
    )
    num_load_threads: int = _flag(0, "threads for loads; 0: the manager's thread")
    num_unload_threads: int = _flag(0, "threads for unloads; 0: the manager's thread")
    max_num_load_retries: int = _flag(5, "attempts to load a version after the first one failed")
    load_retry_interval_micros: int = _flag(
        60_000_000, "pause before each of these attempts; negative: none", bits=INT64
    )
    flush_filesystem_caches: bool = _flag(
        True, "drop file system caches after loading", support=IGNORED
    )
    saved_model_tags: str = _flag(
        "serve", "tags of the graph in a SavedModel, comma-separated", unset=True
    )
    remove_unused_fields_from_bundle_metagraph: bool = _flag(
        True, "keep only signatures in memory", support=IGNORED
    )

    port: int = _flag(8500, "gRPC port; 0: none, needs --grpc_socket_path")
    host: str = _flag(
        "127.0.0.1",
        "address to listen on; 0.0.0.0 for all (not a flag of the real server: it listens on all)",
        unset=True,
    )
    grpc_socket_path: str = _flag("", "UNIX socket for gRPC, in addition to the port")
    grpc_max_threads: int = _flag(
        _threads(),
        "threads for calls; one of them waits for the next call, and calls without a thread are "
        "refused; negative: no limit",
    )
    grpc_front: str = _flag(
        "auto",
        "server of gRPC: native is pygrpc-native, the faster one; grpcio is gRPC's own; auto is "
        "native if it is installed and can do what the flags ask for (not a flag of the real "
        "server)",
        unset=True,
    )
    grpc_channel_arguments: str = _flag("", "channel arguments for gRPC: name=value,name=value")
    ssl_config_file: str = _flag("", "SSLConfig as text, with keys as PEM text: TLS for gRPC")
    enable_grpc_healthcheck_service: bool = _flag(False, "grpc.health.v1.Health")
    shutdown_grace_seconds: float = _flag(
        30.0,
        "time for running calls after SIGTERM (not a flag of the real server, which cuts them off)",
    )
    use_alts_credentials: bool = _flag(False, "ALTS for gRPC", support=REFUSED)
    enable_profiler: bool = _flag(True, "the profiler service on the port", support=IGNORED)

    rest_api_port: int = _flag(0, "port of REST and metrics; 0: none")
    rest_api_num_threads: int = _flag(
        _threads(), "threads of REST; one of them only accepts connections"
    )
    rest_api_timeout_in_ms: int = _flag(30_000, "limit on the run of a graph; 0 or less: no limit")
    rest_api_enable_cors_support: bool = _flag(False, "CORS headers")
    monitoring_config_file: str = _flag("", "MonitoringConfig as text: metrics for Prometheus")

    enable_batching: bool = _flag(False, "merge requests of several callers")
    batching_parameters_file: str = _flag("", "BatchingParameters as text")
    enable_per_model_batching_parameters: bool = _flag(
        False, "read batching_params.pbtxt of each version; no batching without that file"
    )
    enable_model_warmup: bool = _flag(True, "replay a version's records before it is AVAILABLE")
    num_request_iterations_for_warmup: int = _flag(0, "times to replay each record; 0: once")
    enable_signature_method_name_check: bool = _flag(False, "check signatures' method_name")
    enable_serialization_as_tensor_content: bool = _flag(
        False, "replies over gRPC carry tensor_content"
    )

    tensorflow_session_parallelism: int = _flag(
        0, "threads within and between operations; 0: automatic", bits=INT64
    )
    tensorflow_intra_op_parallelism: int = _flag(0, "threads within an operation", bits=INT64)
    tensorflow_inter_op_parallelism: int = _flag(0, "threads between operations", bits=INT64)
    tensorflow_session_config_file: str = _flag("", "ConfigProto as text")
    per_process_gpu_memory_fraction: float = _flag(0.0, "share of a GPU's memory, 0 to 1")
    mixed_precision: str = _flag("", "bfloat16: compute with it where TensorFlow can")
    platform_config_file: str = _flag("", "PlatformConfigMap as text", support=REFUSED)
    thread_pool_factory_config_file: str = _flag("", "custom thread pools", support=REFUSED)
    prefer_tflite_model: bool = _flag(False, "run model.tflite instead", support=REFUSED)
    num_tflite_pools: int = _flag(1, "pools of TFLite interpreters", support=IGNORED)
    num_tflite_interpreters_per_pool: int = _flag(1, "interpreters in each", support=IGNORED)
    xla_cpu_compilation_enabled: bool = _flag(False, "XLA on the CPU", support=IGNORED)
    xla_gpu_compilation_enabled: bool = _flag(False, "XLA on a GPU", support=IGNORED)
    skip_initialize_tpu: bool = _flag(False, "do not initialize TPUs", support=IGNORED)

    version: bool = _flag(False, "print versions and exit")
    help: bool = _flag(False, "print this and exit")


FIELDS = {field.name: field for field in dataclasses.fields(Flags)}


def parse(arguments: Sequence[str]) -> Flags:
    """Parses a command line; the last of several flags with the same name wins.

    Raises:
        StartupError: An argument is not a flag, or a value is not of the flag's type.
    """
    following = [*arguments[1:], ""]
    return Flags(**dict(map(_parse_argument, arguments, following)))


def ignored(flags: Flags) -> list[str]:
    """Returns the names of flags that are set and have no effect."""
    return [field.name for field in _changed(flags) if field.metadata["support"] == IGNORED]


def check_supported(flags: Flags) -> None:
    """Checks that no unsupported flag is set that would change what is served.

    Raises:
        StartupError: One is set.
    """
    for field in _changed(flags):
        if field.metadata["support"] == REFUSED:
            raise StartupError(Code.UNIMPLEMENTED, f"--{field.name} is not supported: leave it out")


def _changed(flags: Flags) -> list[dataclasses.Field[Any]]:
    return [field for name, field in FIELDS.items() if getattr(flags, name) != field.default]


def _parse_argument(argument: str, following: str) -> tuple[str, Any]:
    """Returns the name and the value of a flag; the argument after it is used in errors."""
    given, equals, text = argument.partition("=")
    name = given.removeprefix("--")
    field = FIELDS.get(name)
    if field is None or not given.startswith("--"):
        raise _invalid(f"unknown argument: {argument}{_nearest(given)}")
    if not equals:
        if field.type == "bool":
            if following.lower() in BOOLEANS:
                raise _invalid(f"--{name} {following}: write --{name}={following}")
            return name, True
        example = following if following and not following.startswith("-") else "VALUE"
        raise _invalid(f"--{name} has no value: write --{name}={example}")
    try:
        return name, _value(field, text)
    except ValueError as error:
        raise _invalid(f"--{name}={text}: {error}") from error


def _value(field: dataclasses.Field[Any], text: str) -> bool | int | float | str:
    """Parses a value; raises ValueError with the expected syntax."""
    if field.type == "bool":
        if text.lower() not in BOOLEANS:
            raise ValueError("expected true or false")
        return BOOLEANS[text.lower()]
    if field.type == "int":
        limit = 1 << (field.metadata["bits"] - 1)
        if not INTEGER.fullmatch(text) or not -limit <= int(text) < limit:
            raise ValueError(f"expected an integer of {field.metadata['bits']} bits")
        return int(text)
    if field.type == "float":
        if not DECIMAL.fullmatch(text) or not isfinite(float(text)):
            raise ValueError("expected a finite decimal number")
        return float(text)
    if not text and field.metadata["unset"]:
        return str(field.default)
    return text


def _nearest(given: str) -> str:
    """Returns a suggestion of the flag that was probably meant."""
    name = given.lstrip("-").replace("-", "_")
    if near := get_close_matches(name, FIELDS, n=1):
        return f", did you mean --{near[0]}"
    return "" if given.startswith("--") else ", flags are written --name=value"


def _invalid(text: str) -> StartupError:
    return StartupError(Code.INVALID_ARGUMENT, text)
