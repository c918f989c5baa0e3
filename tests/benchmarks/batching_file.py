"""The file for servers: the chosen parameters, each with its reason, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from batching_candidates import Candidate, Parameters
from batching_choice import Found, Measurement, choose
from batching_report import COMMAND
from seq2sum._chunks import ROWS_PER_CALL

REASONS = {
    "num_batch_threads": (
        "Batches that run at once. The default is the number of cores of the node, also where a",
        "container may use few of them.",
    ),
    "max_batch_size": (
        f"Rows of the largest call that is taken. The client makes calls of {ROWS_PER_CALL:,}.",
    ),
    "batch_timeout_micros": (
        "How long a batch that is not full waits for more, even if a thread is free.",
    ),
    "max_enqueued_batches": (
        "Room for a burst of the largest calls, by as many callers as --grpc_max_threads lets in.",
        "What comes on top is refused with UNAVAILABLE.",
    ),
    "enable_large_batch_splitting": ("Calls are cut into pieces, for all batch threads.",),
    "max_execution_batch_size": ("Rows of the largest piece, and of what is merged.",),
    "allowed_batch_sizes": (
        "Rows that a batch is filled up to. The last one has to be max_batch_size.",
    ),
}


def of_measurements(
    measurements: Sequence[Measurement], candidates: Sequence[Candidate], machine: dict[str, Any]
) -> str:
    """The file, as it follows from the measurements."""
    choice = choose(measurements, candidates)
    chosen = next(each for each in candidates if each.name == choice.parameters)
    assert chosen.parameters
    found = Found(measurements)
    about = [
        "BatchingParameters of TensorFlow Serving, for --batching_parameters_file.",
        "",
        f"Found and written by `{COMMAND}`, with {machine['server']} on {machine['cpus']} cores",
        f"({machine['processor']}) in {len(found.rounds(chosen.name))} rounds, {machine['date']}:",
        f'"{chosen.name}", the simplest that is as good as any way to batch. Against batching off:',
        "",
        f"  {'all loads':<28} {found.score(chosen.name):.2f}",
        *(f"  {load!s:<28} {found.worth(chosen.name, load):.2f}" for load in found.loads),
        "",
        f"The same server twice differs by {choice.resolution:.1%} or less. All figures are in",
        "docs/batching.json, and what they mean for production in docs/capacity.md.",
    ]
    if "note" in machine:
        about += ["", machine["note"]]
    comment = "".join(f"# {line}".rstrip() + "\n" for line in about)
    return f"{comment}\n{of_parameters(chosen.parameters)}"


def of_parameters(chosen: Parameters) -> str:
    """The parameters alone, as TensorFlow Serving reads them."""
    fields: dict[str, int | bool | Sequence[int] | None] = {
        "num_batch_threads": chosen.num_batch_threads,
        "max_batch_size": chosen.max_batch_size,
        "batch_timeout_micros": chosen.batch_timeout_micros,
        "max_enqueued_batches": chosen.max_enqueued_batches,
        "enable_large_batch_splitting": chosen.max_execution_batch_size is not None or None,
        "max_execution_batch_size": chosen.max_execution_batch_size,
        "allowed_batch_sizes": chosen.allowed_batch_sizes or None,
    }
    lines = []
    for name, value in fields.items():
        if value is None:
            continue
        lines += [f"# {line}" for line in REASONS[name]]
        if isinstance(value, Sequence):
            lines += [f"{name}: {size}" for size in value]
        else:
            lines.append(f"{name} {{ value: {str(value).lower()} }}")
    return "\n".join(lines) + "\n"
