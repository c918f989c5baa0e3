"""The ConfigProto of all sessions, built from flags."""

from __future__ import annotations

from typing import Any

from tensorflow.core.protobuf import config_pb2

from seq2sum_serving.embedded.errors import Code, StartupError
from seq2sum_serving.embedded.files import read_text_proto


def session_config(
    *,
    file: str = "",
    parallelism: int = 0,
    intra_op: int = 0,
    inter_op: int = 0,
    gpu_memory_fraction: float = 0.0,
) -> Any:
    """Builds the ConfigProto; 0 leaves a value to the file or to TensorFlow.

    Args:
        file: `--tensorflow_session_config_file`; the other flags override it.
        parallelism: `--tensorflow_session_parallelism`, threads inside and between operations.
        intra_op: `--tensorflow_intra_op_parallelism`.
        inter_op: `--tensorflow_inter_op_parallelism`.
        gpu_memory_fraction: `--per_process_gpu_memory_fraction`.

    Raises:
        StartupError: The flags contradict each other.
        ServingError: The file is missing or not a valid ConfigProto.
    """
    if parallelism > 0 and intra_op > 0 and inter_op > 0:
        raise StartupError(
            Code.INVALID_ARGUMENT,
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all.",
        )
    config = config_pb2.ConfigProto()
    if file:
        read_text_proto(file, config)
    separate = intra_op > 0 or inter_op > 0
    intra, inter = (intra_op, inter_op) if separate else (parallelism, parallelism)
    if intra < 0:  # tensorflow_model_server aborts (flags/session-parallelism-minus-1)
        raise StartupError(
            Code.INVALID_ARGUMENT,
            f"invalid number of threads within an operation: {intra}: expected at least 0",
        )
    if intra:
        config.intra_op_parallelism_threads = intra
    if inter:  # negative: operations run in the caller's thread
        config.inter_op_parallelism_threads = inter
    if gpu_memory_fraction:
        config.gpu_options.per_process_gpu_memory_fraction = gpu_memory_fraction
    return config
