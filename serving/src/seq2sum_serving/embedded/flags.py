"""The flags of `tensorflow_model_server`, as a value: each field is a flag, in the real syntax.

Names, defaults, meanings and the spelling of values are the real server's. An argument that is
not a flag, which it ignores, is an error here: a mistyped flag would have no effect, silently.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import zip_longest
from math import isfinite
from typing import Any

from seq2sum_serving.embedded.errors import Code, StartupError

THREADS_PER_CPU = 4
INT32, INT64 = 32, 64
BLANKS = r"[ \t\n\v\f\r]*"
INTEGER = re.compile(BLANKS + r"[-+]?[0-9]+")
DECIMAL = re.compile(BLANKS + r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
"""What `sscanf` reads as a number: blanks may come before it, and nothing after it
(tsl/util/command_line_flags.cc)."""
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
"""Spellings of a boolean, in small letters; capitals are fine."""

SERVES, IGNORED, REFUSED = "", "accepted, without effect here", "refused: not built here"
"""What is done with a flag."""


def _flag(
    default: Any, text: str, *, effect: str = SERVES, bits: int = INT32, unset: bool = False
) -> Any:
    """Declares a flag.

    Args:
        default: Its value if it is not given.
        text: Its line in `--help`.
        effect: What is done with it.
        bits: Size of an integer.
        unset: Whether an empty value, as an unset shell variable leaves it, means the default.
    """
    return dataclasses.field(
        default=default, metadata={"text": text, "effect": effect, "bits": bits, "unset": unset}
    )


def _threads() -> int:
    """As many as the real server has by default."""
    return THREADS_PER_CPU * len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """One command line. The order is that of `--help`."""

    model_name: str = _flag("default", "name of the model; ignored with --model_config_file")
    model_base_path: str = _flag(
        "", "folder of its numbered versions, absolute; ignored with --model_config_file"
    )
    model_config_file: str = _flag("", "ModelServerConfig as text: the models to serve")
    model_config_file_poll_wait_seconds: int = _flag(
        0, "pause between two reads of it; 0: read once"
    )
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, "let a new label point to a version that is not AVAILABLE"
    )
    file_system_poll_wait_seconds: int = _flag(
        1, "pause between two looks for versions; 0: look once; negative: never"
    )
    num_load_threads: int = _flag(0, "threads that load; 0: the manager's own")
    num_unload_threads: int = _flag(0, "threads that unload; 0: the manager's own")
    max_num_load_retries: int = _flag(5, "further attempts to load a version that failed")
    load_retry_interval_micros: int = _flag(
        60_000_000, "pause before each of them; negative: none", bits=INT64
    )
    flush_filesystem_caches: bool = _flag(True, "forget files after loading", effect=IGNORED)
    saved_model_tags: str = _flag(
        "serve", "tags of the graph in a SavedModel, comma-separated", unset=True
    )
    remove_unused_fields_from_bundle_metagraph: bool = _flag(
        True, "keep only signatures in memory", effect=IGNORED
    )

    port: int = _flag(8500, "gRPC port; 0: none, with --grpc_socket_path")
    host: str = _flag(
        "127.0.0.1",
        "address to listen on; 0.0.0.0 for all (ours: the real server listens on all)",
        unset=True,
    )
    grpc_socket_path: str = _flag("", "UNIX socket for gRPC, beside the port")
    grpc_max_threads: int = _flag(
        _threads(),
        "threads for calls; one waits for the next call, and others are refused; "
        "negative: no limit",
    )
    server_processes: int = _flag(
        1,
        "processes that answer gRPC on --port, each with all models, and with threads and "
        "batching queues of its own; REST and --grpc_socket_path are the first one's (ours: "
        "the real server needs one only)",
    )
    grpc_channel_arguments: str = _flag("", "gRPC's own options: name=value,name=value")
    ssl_config_file: str = _flag("", "SSLConfig as text, with keys as PEM text: TLS for gRPC")
    enable_grpc_healthcheck_service: bool = _flag(False, "grpc.health.v1.Health")
    shutdown_grace_seconds: float = _flag(
        30.0, "how long calls may go on after SIGTERM (ours: the real server cuts them)"
    )
    use_alts_credentials: bool = _flag(False, "ALTS for gRPC", effect=REFUSED)
    enable_profiler: bool = _flag(True, "the profiler's service on the port", effect=IGNORED)

    rest_api_port: int = _flag(0, "port of REST and metrics; 0: none")
    rest_api_num_threads: int = _flag(_threads(), "threads of REST; one of them only accepts")
    rest_api_timeout_in_ms: int = _flag(30_000, "time for a graph to run; 0 or less: no limit")
    rest_api_enable_cors_support: bool = _flag(False, "CORS headers")
    monitoring_config_file: str = _flag("", "MonitoringConfig as text: Prometheus' path")

    enable_batching: bool = _flag(False, "merge requests of several callers")
    batching_parameters_file: str = _flag("", "BatchingParameters as text")
    enable_per_model_batching_parameters: bool = _flag(
        False, "read batching_params.pbtxt of each version; one without it is not batched"
    )
    enable_model_warmup: bool = _flag(True, "replay a version's records before it is AVAILABLE")
    num_request_iterations_for_warmup: int = _flag(0, "times to replay each; 0: once")
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
    mixed_precision: str = _flag("", "bfloat16: let TensorFlow compute so where it can")
    platform_config_file: str = _flag("", "PlatformConfigMap as text", effect=REFUSED)
    thread_pool_factory_config_file: str = _flag("", "thread pools of your own", effect=REFUSED)
    prefer_tflite_model: bool = _flag(False, "run model.tflite instead", effect=REFUSED)
    num_tflite_pools: int = _flag(1, "pools of interpreters", effect=IGNORED)
    num_tflite_interpreters_per_pool: int = _flag(1, "interpreters in each", effect=IGNORED)
    xla_cpu_compilation_enabled: bool = _flag(False, "XLA on the CPU", effect=IGNORED)
    xla_gpu_compilation_enabled: bool = _flag(False, "XLA on a GPU", effect=IGNORED)
    skip_initialize_tpu: bool = _flag(False, "leave TPUs alone", effect=IGNORED)

    version: bool = _flag(False, "print versions and exit")
    help: bool = _flag(False, "print this and exit")


FIELDS = {field.name: field for field in dataclasses.fields(Flags)}


def parse(arguments: Sequence[str]) -> Flags:
    """The flags of a command line; the last of several with the same name counts.

    Raises:
        StartupError: An argument that is no flag, or a value that is none of its kind.
    """
    return Flags(**dict(_pair(argument, follower) for argument, follower in _pairs(arguments)))


def ineffective(flags: Flags) -> list[str]:
    """Names of the flags that are set, and do nothing here."""
    return [field.name for field in _changed(flags) if field.metadata["effect"] == IGNORED]


def refuse_missing(flags: Flags) -> None:
    """Raises StartupError for flags that would change what is served, and are not built here."""
    for field in _changed(flags):
        if field.metadata["effect"] == REFUSED:
            raise StartupError(
                Code.UNIMPLEMENTED, f"--{field.name} is not built here: leave it out"
            )


def _changed(flags: Flags) -> list[dataclasses.Field[Any]]:
    return [field for name, field in FIELDS.items() if getattr(flags, name) != field.default]


def _pairs(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Each argument with the one that follows it, for better words about what is wrong."""
    return list(zip_longest(arguments, arguments[1:], fillvalue=""))


def _pair(argument: str, follower: str) -> tuple[str, Any]:
    given, equals, text = argument.partition("=")
    name = given.removeprefix("--")
    field = FIELDS.get(name)
    if field is None or not given.startswith("--"):
        raise _wrong(f"unknown argument: {argument}{_nearest(given)}")
    if not equals:
        if field.type == "bool":
            if follower.lower() in BOOLEANS:
                raise _wrong(f"--{name} {follower}: write --{name}={follower}")
            return name, True
        example = follower if follower and not follower.startswith("-") else "VALUE"
        raise _wrong(f"--{name} has no value: write --{name}={example}")
    try:
        return name, _value(field, text)
    except ValueError as error:
        raise _wrong(f"--{name}={text}: {error}") from error


def _value(field: dataclasses.Field[Any], text: str) -> bool | int | float | str:
    """The value that is written; ValueError says what it should have been."""
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
    """What may have been meant."""
    name = given.lstrip("-").replace("-", "_")
    if near := get_close_matches(name, FIELDS, n=1):
        return f", did you mean --{near[0]}"
    return "" if given.startswith("--") else ", flags are written --name=value"


def _wrong(text: str) -> StartupError:
    return StartupError(Code.INVALID_ARGUMENT, text)
