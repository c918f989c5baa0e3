"""Batching parameters, from a file to a checked value.

Defaults and checks are TensorFlow Serving's: most errors in a file appear only when a model is
loaded (recorded cases batching/*).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from seq2sum_serving.configuration import batching_pb2
from seq2sum_serving.embedded.errors import invalid_argument
from seq2sum_serving.embedded.files import local_path, read_text_proto

VERSION_FILE = "batching_params.pbtxt"
"""File in a version's folder, used with `--enable_per_model_batching_parameters`."""

DEFAULT_BATCH_SIZE = 1000
SIZES = 2**64
"""TensorFlow Serving converts sizes to unsigned integers, so negative ones are very large."""


@dataclass(frozen=True, slots=True)
class BatchingParameters:
    """Parameters of the queues of one model, and of the threads of all models."""

    max_batch_size: int = DEFAULT_BATCH_SIZE
    """Rows of the largest request, and of the largest batch unless requests are split."""
    batch_timeout: float = 0.0
    """Seconds that a batch waits until it is full."""
    max_enqueued_batches: int = 10
    """Batches that wait in a queue, including the one that is not full."""
    num_batch_threads: int = os.cpu_count() or 1
    """Batches that run at the same time, of all models together."""
    thread_pool_name: str = "batch_threads"
    """Part of the threads' names."""
    allowed_batch_sizes: tuple[int, ...] = ()
    """Numbers of rows that batches are padded to; none: no padding."""
    pad_variable_length_inputs: bool = False
    """Pad rows of different shapes to the largest one."""
    splits: bool = False
    """`enable_large_batch_splitting`: a request may run in several batches."""
    max_execution_batch_size: int = DEFAULT_BATCH_SIZE
    """Rows of the largest batch."""

    def check_threads(self) -> None:
        """Raises ServingError if the thread parameters are invalid; the server cannot start."""
        if self.num_batch_threads < 1:
            raise invalid_argument(
                f"num_batch_threads must be positive; was {self.num_batch_threads}"
            )

    def check_queues(self) -> None:
        """Raises ServingError if the queue parameters are invalid; versions cannot be loaded."""
        allowed, largest = self.allowed_batch_sizes, self.max_batch_size
        if allowed and allowed[-1] != largest:
            raise invalid_argument(
                "Last entry in allowed_batch_sizes must match max_batch_size; last entry was "
                f"{allowed[-1]}; expected {largest}"
            )
        if largest == 0:
            raise invalid_argument("input_batch_size_limit must be positive; was 0")
        if self.batch_timeout < 0:
            micros = round(self.batch_timeout * 1e6)
            raise invalid_argument(f"batch_timeout_micros must be non-negative; was {micros}")
        if self.max_enqueued_batches == 0:
            raise invalid_argument("max_enqueued_batches must be positive; was 0")
        if self.splits and largest < self.max_execution_batch_size:
            raise invalid_argument(
                "When enable_large_batch_splitting is true, input_batch_size_limit must be "
                "greater than or equal to max_execution_batch_size."
                # TensorFlow Serving's message runs the numbers together.
                f"1{largest}{self.max_execution_batch_size}"
            )

    def rounded(self, rows: int) -> int:
        """Returns the smallest allowed size for `rows`, or `rows` if none is large enough."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)


def from_version_folder(path: str) -> BatchingParameters | None:
    """Returns the parameters in a version's folder; None if it has none and is not batched.

    Raises:
        ServingError: The file is not a valid BatchingParameters.
    """
    file = local_path(path, VERSION_FILE)
    if not file.exists():
        return None
    return from_message(read_text_proto(str(file), batching_pb2.BatchingParameters()))


def from_message(message: batching_pb2.BatchingParameters) -> BatchingParameters:
    """Returns the parameters in a message, with TensorFlow Serving's defaults."""
    default = BatchingParameters()

    def value(field: str) -> Any:
        present = message.HasField(field)
        return getattr(message, field).value if present else getattr(default, field)

    splits = message.enable_large_batch_splitting.value
    largest = execution = value("max_batch_size") % SIZES
    if splits:
        # Without either field the size is 0, not the default, and no request fits.
        given = message.HasField("max_execution_batch_size")
        size = message.max_execution_batch_size if given else message.max_batch_size
        execution = size.value % SIZES
    enqueued = value("max_enqueued_batches") % SIZES
    return BatchingParameters(
        max_batch_size=largest,
        batch_timeout=message.batch_timeout_micros.value / 1e6,
        max_enqueued_batches=enqueued if splits else max(1, enqueued),
        num_batch_threads=value("num_batch_threads"),
        thread_pool_name=value("thread_pool_name"),
        allowed_batch_sizes=tuple(message.allowed_batch_sizes),
        pad_variable_length_inputs=message.pad_variable_length_inputs,
        splits=splits,
        max_execution_batch_size=execution,
    )
