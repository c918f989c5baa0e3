"""Writes serving/config/batching.config: the chosen parameters, with their reasons and origin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seq2sum._calls import ROWS_PER_CALL

from benchmarks.batching.candidates import Candidate, Parameters
from benchmarks.batching.report import COMMAND
from benchmarks.batching.selection import Comparison, Measurement, choose
from benchmarks.support.output import ROOT

PATH = ROOT / "serving" / "config" / "batching.config"
"""The file that compose and Kubernetes mount."""
REASONS = {
    "num_batch_threads": (
        "Batches that run concurrently. The default is the number of cores of the node, even if a",
        "container may use only a few of them.",
    ),
    "max_batch_size": (
        f"Rows of the largest accepted call. The client sends calls of {ROWS_PER_CALL:,} rows.",
    ),
    "batch_timeout_micros": (
        "Time that a batch with free space waits for more rows, even if a thread is idle.",
    ),
    "max_enqueued_batches": (
        "Room for a burst of the largest calls, from as many callers as --grpc_max_threads admits.",
        "Further calls fail with UNAVAILABLE.",
    ),
    "enable_large_batch_splitting": ("Calls are split into parts, which all threads share.",),
    "max_execution_batch_size": ("Rows of the largest part, and of a merged batch.",),
    "allowed_batch_sizes": (
        "Batches are padded to the next of these sizes. The last must be max_batch_size.",
    ),
}


def render(
    measurements: Sequence[Measurement], candidates: Sequence[Candidate], machine: dict[str, Any]
) -> str:
    """Returns the file that follows from the measurements."""
    choice = choose(measurements, candidates)
    chosen = next(each for each in candidates if each.name == choice.batched)
    assert chosen.parameters
    comparison = Comparison(measurements)
    rounds = len(comparison.rounds(chosen.name))
    about = [
        "BatchingParameters of TensorFlow Serving, for --batching_parameters_file.",
        "",
        f"Found and written by `{COMMAND}`, with {machine['server']} on {machine['cpus']} cores",
        f"({machine['processor']}) in {rounds} rounds, {machine['date']}:",
        f'"{chosen.name}", the simplest of the best. Relative to batching off:',
        "",
        f"  {'all loads':<28} {comparison.score(chosen.name):.2f}",
        *(f"  {load!s:<28} {comparison.ratio(chosen.name, load):.2f}" for load in comparison.loads),
        "",
        f"Differences below {choice.resolution:.1%} do not count. All figures are in",
        "benchmarks/results/batching.json; docs/capacity.md explains them.",
    ]
    if "note" in machine:
        about += ["", machine["note"]]
    comment = "".join(f"# {line}".rstrip() + "\n" for line in about)
    return f"{comment}\n{render_parameters(chosen.parameters)}"


def render_parameters(chosen: Parameters) -> str:
    """Returns the parameters in the format that TensorFlow Serving reads."""
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
