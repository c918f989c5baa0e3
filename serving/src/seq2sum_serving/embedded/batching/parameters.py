"""How requests are merged, from what a file says to a checked value.

Defaults, and what is refused when, are TensorFlow Serving's: most of what is wrong in a file
shows only when a model is loaded.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from seq2sum_serving.configuration import batching_pb2
from seq2sum_serving.embedded import config_file
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.files import local_path

FILE_OF_A_MODEL = "batching_params.pbtxt"
"""In a version's folder, with `--enable_per_model_batching_parameters`."""

DEFAULT_BATCH_SIZE = 1000
SIZES = 2**64
"""Sizes are unsigned there: a negative one is enormous."""


@dataclass(frozen=True, slots=True)
class BatchingParameters:
    """The rules for the queues of one model, and for the threads of all."""

    max_batch_size: int = DEFAULT_BATCH_SIZE
    """Rows of the largest request, and of the largest batch unless requests are split."""
    batch_timeout: float = 0.0
    """Seconds for which a batch that is not full waits for more."""
    max_enqueued_batches: int = 10
    """Batches that wait in one queue, the one that still fills up included."""
    num_batch_threads: int = os.cpu_count() or 1
    """Batches that run at once, of all models together."""
    thread_pool_name: str = "batch_threads"
    """What the threads are called."""
    allowed_batch_sizes: tuple[int, ...] = ()
    """Rows that a batch is filled up to; none: as many as there are."""
    pad_variable_length_inputs: bool = False
    """Rows of different shapes are filled up to the largest, and merged."""
    splits: bool = False
    """`enable_large_batch_splitting`: a request may be cut and run in several batches."""
    max_execution_batch_size: int = DEFAULT_BATCH_SIZE
    """Rows of the largest batch."""

    def check_threads(self) -> None:
        """Raises ServingError if no pool of threads can be made; the server cannot start then."""
        if self.num_batch_threads < 1:
            raise _invalid(f"num_batch_threads must be positive; was {self.num_batch_threads}")

    def check_queues(self) -> None:
        """Raises ServingError if no queue can be made; the version cannot be loaded then."""
        allowed, largest = self.allowed_batch_sizes, self.max_batch_size
        if allowed and allowed[-1] != largest:
            raise _invalid(
                "Last entry in allowed_batch_sizes must match max_batch_size; last entry was "
                f"{allowed[-1]}; expected {largest}"
            )
        if largest == 0:
            raise _invalid("input_batch_size_limit must be positive; was 0")
        if self.batch_timeout < 0:
            micros = round(self.batch_timeout * 1e6)
            raise _invalid(f"batch_timeout_micros must be non-negative; was {micros}")
        if self.max_enqueued_batches == 0:
            raise _invalid("max_enqueued_batches must be positive; was 0")
        if self.splits and largest < self.max_execution_batch_size:
            raise _invalid(
                "When enable_large_batch_splitting is true, input_batch_size_limit must be "
                "greater than or equal to max_execution_batch_size."
                # The numbers are run together there.
                f"1{largest}{self.max_execution_batch_size}"
            )

    def rounded(self, rows: int) -> int:
        """Rows of the batch that `rows` are run as; as they are if no allowed size is enough."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)


def from_version_folder(path: str) -> BatchingParameters | None:
    """The parameters in a version's own folder; None if it has none and is not batched.

    Raises:
        ServingError: The file is no BatchingParameters.
    """
    file = local_path(path, FILE_OF_A_MODEL)
    if not file.exists():
        return None
    return from_message(config_file.read_into(str(file), batching_pb2.BatchingParameters()))


def from_message(message: batching_pb2.BatchingParameters) -> BatchingParameters:
    """The parameters that a file holds."""
    default = BatchingParameters()

    def size(field: str) -> int:
        if not message.HasField(field):
            return int(getattr(default, field))
        return int(getattr(message, field).value) % SIZES

    splits = message.enable_large_batch_splitting.value
    largest = size("max_batch_size")
    execution = largest
    if splits:
        # A default that is left out counts as 0 here, and nothing fits any more.
        given = message.HasField("max_execution_batch_size")
        of = message.max_execution_batch_size if given else message.max_batch_size
        execution = of.value % SIZES
    enqueued = size("max_enqueued_batches")
    return BatchingParameters(
        max_batch_size=largest,
        batch_timeout=message.batch_timeout_micros.value / 1e6,
        max_enqueued_batches=enqueued if splits else max(1, enqueued),
        num_batch_threads=(
            message.num_batch_threads.value
            if message.HasField("num_batch_threads")
            else default.num_batch_threads
        ),
        thread_pool_name=(
            message.thread_pool_name.value
            if message.HasField("thread_pool_name")
            else default.thread_pool_name
        ),
        allowed_batch_sizes=tuple(message.allowed_batch_sizes),
        pad_variable_length_inputs=message.pad_variable_length_inputs,
        splits=splits,
        max_execution_batch_size=execution,
    )


def _invalid(text: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, text)
