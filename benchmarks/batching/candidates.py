"""Batching parameters that are measured against each other, the simplest first, and the loads.

A candidate is a way to start the server: a number of threads within an operation, and a
BatchingParameters file or none. Two rules hold for all parameters, whatever the measurements say:
the largest call of the SDK fits into a batch, and a burst of as many calls as the server admits
fits into the queue.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from seq2sum._calls import ROWS_PER_CALL

from benchmarks.load.generator import Load

LOADS = (
    Load("default", 1, 1),
    Load("default", 1, 64),
    Load("default", 32, 8),
    Load("default", 512, 8),
    Load("default", 4096, 4),
    Load("default", 4096, 2, arrivals=100),
    Load("fast", 1, 64),
    Load("fast", 512, 8),
)
CALLERS = 256
"""Concurrent calls that production admits: `--grpc_max_threads`."""
PLAIN_SIZE = 2 * ROWS_PER_CALL
"""Rows of a batch: two of the largest calls, so that another one may join a waiting call."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The content of a batching file."""

    num_batch_threads: int
    max_batch_size: int
    batch_timeout_micros: int
    max_enqueued_batches: int
    allowed_batch_sizes: tuple[int, ...] = ()
    max_execution_batch_size: int | None = None
    """Rows of the parts that calls are split into; None: calls are not split."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to start the server."""

    name: str
    intra_op_threads: int = 0
    """Threads within an operation; 0: TensorFlow's default, all cores."""
    parameters: Parameters | None = None
    """None: batching is off."""
    settings: int = 0
    """Number of settings that differ from the default: the fewer, the simpler."""

    def flags(self, file: str) -> list[str]:
        """Returns the server's flags; `file` is the path of the batching file."""
        flags = []
        if self.intra_op_threads:
            flags.append(f"--tensorflow_intra_op_parallelism={self.intra_op_threads}")
        if self.parameters:
            flags += ["--enable_batching=true", f"--batching_parameters_file={file}"]
        return flags


def parameters(
    *,
    threads: int,
    size: int = PLAIN_SIZE,
    timeout: int = 0,
    allowed: Sequence[int] = (),
    parts: int | None = None,
) -> Parameters:
    """Returns parameters with a queue that is long enough.

    Args:
        threads: Batches that run concurrently.
        size: Rows of the largest call, and of the largest batch if calls are not split.
        timeout: Microseconds that a batch waits for more rows.
        allowed: Allowed batch sizes.
        parts: Rows of the largest batch, if calls are split.
    """
    if size < ROWS_PER_CALL:
        raise ValueError(f"{size} rows are too few: a call of the SDK has up to {ROWS_PER_CALL}")
    return Parameters(threads, size, timeout, enqueued(size, parts), tuple(allowed), parts)


def enqueued(size: int, parts: int | None = None) -> int:
    """Returns the longest queue, in batches, when `CALLERS` send the largest call at once.

    A batch is closed by the first call that does not fit into it, so each closed batch has at
    least `size // ROWS_PER_CALL` calls.
    """
    if parts:
        return math.ceil(CALLERS * ROWS_PER_CALL / parts)
    return math.ceil(CALLERS / (size // ROWS_PER_CALL))


OFF, CONTROL, OFF_ONE_THREAD, PLAIN = (
    "off",
    "off, repeated",
    "off, intra-op 1",
    "on, intra-op 1",
)
KEPT = (OFF, CONTROL, OFF_ONE_THREAD, PLAIN)
"""Candidates that never drop out. All are compared with the first; the second is the same server
again, and the difference between these two is noise."""


def candidates(cpus: int) -> tuple[Candidate, ...]:
    """Returns all candidates for a machine with `cpus` cores."""
    sizes = (32, 256, 1024, ROWS_PER_CALL, PLAIN_SIZE)
    plain = parameters(threads=cpus)
    others: dict[str, tuple[Parameters, int]] = {
        "1 batch thread": (parameters(threads=1), 3),
        f"{2 * cpus} batch threads": (parameters(threads=2 * cpus), 3),
        "1 ms timeout": (parameters(threads=cpus, timeout=1000), 3),
        f"batches of {ROWS_PER_CALL}": (parameters(threads=cpus, size=ROWS_PER_CALL), 3),
        "allowed batch sizes": (parameters(threads=cpus, allowed=sizes), 4),
        "split into 512": (parameters(threads=cpus, parts=512), 4),
        "split into 2048": (parameters(threads=cpus, parts=2048), 4),
    }
    return (
        Candidate(OFF),
        Candidate(CONTROL),
        Candidate(OFF_ONE_THREAD, 1, settings=1),
        Candidate("on", 0, plain, 1),
        Candidate(PLAIN, 1, plain, 2),
        *(Candidate(f"{PLAIN}, {name}", 1, *values) for name, values in others.items()),
    )
