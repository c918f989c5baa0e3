"""Measures the serving graph against stock Keras: `make bench-graph`.

The baseline is the tutorial's network (LSTM 128 + 128) in stock Keras layers with the weights
of `default`: exported by `model.export()`, loaded, and called as the Keras documentation says; and
`model.predict`. Its input is one-hot arrays made beforehand and its output probabilities, so it
neither parses questions nor writes answers. Our graphs go from byte strings to text.

All variants run in one process with one thread, in turns, and are compared by CPU time; ratios are
medians over the rounds. A function gets tensors made beforehand; a session gets numpy arrays and
is called as `seq2sum-serve` calls it. The stock export is measured in a session too, so that each
of ours has its counterpart. The same run measures two bounds: for `default` the matrix products
that any implementation needs, and for `fast` a graph that returns its input strings.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from seq2sum_training import recipe, tf_import
from seq2sum_training.data.questions import questions
from seq2sum_training.run import Run

from benchmarks.graph import cpu_time, report, variants
from benchmarks.graph.report import BATCHES, BOUNDS, RECIPES, STOCK, STOCK_SESSION, TARGETS
from benchmarks.pictures.graph import processor_text
from benchmarks.pictures.results import write_results
from benchmarks.support import trials
from benchmarks.support.machine import processor
from benchmarks.support.output import argument_parser, log

UNUSUAL_BATCH = 512
"""Questions of a batch with unusual rows."""
UNUSUAL: dict[str, Callable[[bytes], bytes]] = {
    "malformed": lambda question: question.replace(b"+", b"x"),
    "too long": lambda question: b"1111+" + question.split(b"+")[1],
    "leading zeros": lambda question: b"+".join(p.zfill(3) for p in question.split(b"+")),
    "40 trailing spaces": lambda question: question + b" " * 40,
}
"""Functions that turn a plain question into an unusual row, by kind."""
SHARES = (0.01, 0.5)
"""Shares of unusual rows in a batch."""


def main() -> int:
    """Runs the benchmark; returns the exit code."""
    parser = argument_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each variant (default: 5)")
    options = parser.parse_args()
    tf_import.import_tensorflow()
    variants.use_one_thread()
    trials.train_recipes(RECIPES, options.runs)
    runs = {name: Run.open_finished(options.runs / name) for name in RECIPES}
    models = {name: run.model() for name, run in runs.items()}
    with tempfile.TemporaryDirectory() as folder:
        calls, sessions = prepare(runs, models, Path(folder))
        rows = [row for batch in BATCHES for row in measure(calls, batch, options.rounds)]
        unusual = measure_unusual_rows(sessions, options.rounds)
        compared = {name: variants.compare(runs[name], models[name]) for name in RECIPES}
    figures = {
        "rows": rows,
        "share_of_bound": report.shares_of_bounds(rows),
        "unusual_rows": unusual,
        "compared_with_keras": compared,
        "targets": TARGETS,
    }
    described = processor()
    write_results(options.out, "graph", figures | described | variants.software())
    print(processor_text(**described))
    print(report.text(rows, unusual, compared))
    return 0


def prepare(runs: Any, models: Any, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns functions from a batch size to a call, by variant; and the sessions by recipe."""
    calls: dict[str, Any] = dict(
        variants.stock_export(models["default"], recipe.load("default"), folder)
    )
    sessions = {}
    for name, run in runs.items():
        function, sessions[name] = variants.serving_graph(run, models[name], folder)
        calls[f"{name}, function"] = with_questions(function)
        calls[f"{name}, session"] = with_questions(sessions[name])
    calls[BOUNDS["default"]] = variants.matrix_products(recipe.load("default"))
    calls[BOUNDS["fast"]] = with_questions(variants.echo())
    return calls, sessions


def with_questions(prepare_call: Callable[[Any], Any]) -> Callable[[int], Any]:
    """Returns a function that prepares a call with a given number of questions."""
    return lambda batch: prepare_call(random_questions(batch))


def random_questions(batch: int) -> Any:
    """Returns random questions, the same ones each time."""
    pairs = np.random.default_rng(1).integers(0, 1000, (2, batch))
    return np.array(questions(*pairs).tolist(), object)


def measure(calls: dict[str, Any], batch: int, rounds: int) -> list[dict[str, Any]]:
    """Returns a row for each variant with this many questions per call."""
    log(f"{batch} questions per call")
    times = cpu_time.microseconds(
        {name: make(batch) for name, make in calls.items()}, rounds=rounds
    )
    return [
        {
            "variant": variant,
            "batch": batch,
            "per_cpu_second": round(1e6 * batch / median(own)),
            "ratio_to_stock": round(cpu_time.ratio(times[STOCK], own), 3),
            "ratio_to_stock_session": round(cpu_time.ratio(times[STOCK_SESSION], own), 3),
            "target": TARGETS.get(variant.split(",")[0], {}).get(batch),
        }
        for variant, own in times.items()
    ]


def measure_unusual_rows(sessions: dict[str, Any], rounds: int) -> list[dict[str, Any]]:
    """Returns the cost of calls with unusual rows, relative to a call without any."""
    log("unusual rows")
    plain = random_questions(UNUSUAL_BATCH)
    rows = []
    for name, prepare_call in sessions.items():
        calls = {"plain": prepare_call(plain)}
        for kind, make_unusual in UNUSUAL.items():
            for share in SHARES:
                every = round(1 / share)
                mixed = [make_unusual(q) if i % every == 0 else q for i, q in enumerate(plain)]
                calls[f"{kind} {share}"] = prepare_call(np.array(mixed, object))
        times = cpu_time.microseconds(calls, rounds=rounds)
        rows += [
            {
                "recipe": name,
                "kind": kind,
                "share": share,
                "relative_cost": round(cpu_time.ratio(times[f"{kind} {share}"], times["plain"]), 3),
            }
            for kind in UNUSUAL
            for share in SHARES
        ]
    return rows


if __name__ == "__main__":
    sys.exit(main())
