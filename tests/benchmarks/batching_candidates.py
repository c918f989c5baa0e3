"""Ways to batch that are measured against each other, the simplest first.

A candidate is what the server is started with: threads within an operation, and a
BatchingParameters file or none. Rules that no measurement can soften are kept here, where the
parameters are made: the largest call of the SDK fits into a batch, and a burst of as many callers
as the server lets in fits into the queue.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from seq2sum._chunks import ROWS_PER_CALL

CALLERS = 256
"""Calls at once that production lets in: `--grpc_max_threads`."""
PLAIN_SIZE = 2 * ROWS_PER_CALL
"""Rows of a batch: two of the largest calls, so that one that waits may be joined by another."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The content of a batching file."""

    num_batch_threads: int
    max_batch_size: int
    batch_timeout_micros: int
    max_enqueued_batches: int
    allowed_batch_sizes: tuple[int, ...] = ()
    max_execution_batch_size: int | None = None
    """Rows of the pieces that calls are cut into; None: no call is cut."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to start the server."""

    name: str
    intra_op_threads: int = 0
    """Threads within an operation; 0: TensorFlow's own choice, all cores."""
    parameters: Parameters | None = None
    """None: batching is off."""
    settings: int = 0
    """How many things are set that could be left alone: the fewer the simpler."""

    def flags(self, file: str) -> list[str]:
        """Those of the server; `file` is where the parameters are."""
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
    pieces: int | None = None,
) -> Parameters:
    """Parameters with a queue that is long enough.

    Args:
        threads: Batches that run at once.
        size: Rows of the largest call, and of the largest batch if calls are not cut.
        timeout: Microseconds that a batch waits for more.
        allowed: Rows that a batch is filled up to.
        pieces: Rows of the largest batch, if calls are cut.
    """
    if size < ROWS_PER_CALL:
        raise ValueError(f"a call of the SDK has up to {ROWS_PER_CALL} rows: {size} is too small")
    return Parameters(threads, size, timeout, enqueued(size, pieces), tuple(allowed), pieces)


def enqueued(size: int, pieces: int | None = None) -> int:
    """Batches that wait at most, when all callers that are let in send the largest call at once.

    A batch is closed by the call that does not fit into it any more. So as many calls of the
    largest kind as fit into `size` are in every closed batch at least, whatever their sizes are.
    """
    if pieces:
        return math.ceil(CALLERS * ROWS_PER_CALL / pieces)
    return math.ceil(CALLERS / (size // ROWS_PER_CALL))


OFF, CONTROL, OFF_ALONE, PLAIN = (
    "off",
    "off, once more",
    "off, intra-op 1",
    "on, intra-op 1",
)
"""Those that are always measured to the end. The first is what all others are compared with, the
second is the same again: what it differs by is noise."""
KEPT = (OFF, CONTROL, OFF_ALONE, PLAIN)


def candidates(cpus: int) -> tuple[Candidate, ...]:
    """All of them, for a machine with so many cores."""
    sizes = (32, 256, 1024, ROWS_PER_CALL, PLAIN_SIZE)
    plain = parameters(threads=cpus)
    others: dict[str, tuple[Parameters, int]] = {
        "1 batch thread": (parameters(threads=1), 3),
        f"{2 * cpus} batch threads": (parameters(threads=2 * cpus), 3),
        "waits 1 ms": (parameters(threads=cpus, timeout=1000), 3),
        f"batches of {ROWS_PER_CALL}": (parameters(threads=cpus, size=ROWS_PER_CALL), 3),
        "filled up to allowed sizes": (parameters(threads=cpus, allowed=sizes), 4),
        "cut into 512": (parameters(threads=cpus, pieces=512), 4),
        "cut into 2048": (parameters(threads=cpus, pieces=2048), 4),
    }
    return (
        Candidate(OFF),
        Candidate(CONTROL),
        Candidate(OFF_ALONE, 1, settings=1),
        Candidate("on", 0, plain, 1),
        Candidate(PLAIN, 1, plain, 2),
        *(Candidate(f"{PLAIN}, {name}", 1, *chosen) for name, chosen in others.items()),
    )
