"""The ConfigProto of all sessions, from flags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow.core.protobuf import config_pb2

from seq2sum_serving.embedded.errors import Code, StartupError


def session_config(
    *,
    file: str = "",
    parallelism: int = 0,
    intra_op: int = 0,
    inter_op: int = 0,
    gpu_memory_fraction: float = 0.0,
) -> Any:
    """Builds the ConfigProto; what is 0 is left to TensorFlow or to the file.

    Args:
        file: `--tensorflow_session_config_file`; the other flags count more.
        parallelism: `--tensorflow_session_parallelism`, threads inside and between operations.
        intra_op: `--tensorflow_intra_op_parallelism`.
        inter_op: `--tensorflow_inter_op_parallelism`.
        gpu_memory_fraction: `--per_process_gpu_memory_fraction`.

    Raises:
        StartupError: The flags contradict each other, or the file is none of its kind.
    """
    if parallelism > 0 and intra_op > 0 and inter_op > 0:
        raise StartupError(
            Code.INVALID_ARGUMENT,
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all.",
        )
    config = _read(file) if file else config_pb2.ConfigProto()
    apart = intra_op > 0 or inter_op > 0
    for name, threads in (
        ("intra_op_parallelism_threads", intra_op if apart else parallelism),
        ("inter_op_parallelism_threads", inter_op if apart else parallelism),
    ):
        if threads > 0:
            setattr(config, name, threads)
    if gpu_memory_fraction:
        config.gpu_options.per_process_gpu_memory_fraction = gpu_memory_fraction
    return config


def _read(file: str) -> Any:
    try:
        text = Path(file).read_text()
    except FileNotFoundError as error:
        raise StartupError(Code.NOT_FOUND, f"{file}; {error.strerror}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(Code.INVALID_ARGUMENT, f"{file}; {error}") from error
    try:
        return text_format.Parse(text, config_pb2.ConfigProto())
    except text_format.ParseError as error:
        raise StartupError(Code.INVALID_ARGUMENT, f"Invalid protobuf file: '{file}'") from error
