"""Measures the parts of a call in process, without gRPC: `make bench-call`.

For `default` and `fast`, without and with batching: microseconds of each part of a Predict call,
with the processor's caches as a run of the graph leaves them. With batching, several calls run
together as a burst, and their time is divided by their number. The median of many calls counts, so
that interruptions do not.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from seq2sum_serving.configuration import batching_pb2
from seq2sum_serving.embedded.batching.batched_servable import BatchedServable, make_wrap
from seq2sum_serving.embedded.errors import ServingError
from seq2sum_serving.embedded.files import read_text_proto
from seq2sum_serving.embedded.inference import predict, runtime, saved_model, session_runner
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.session_config import session_config
from seq2sum_serving.embedded.lifecycle.serving_map import Handle, ServingMap
from seq2sum_serving.embedded.model_spec import ModelSpecResolver
from seq2sum_serving.embedded.prediction_service import PredictionService
from seq2sum_serving.embedded.rpc import handlers

from benchmarks.load.requests import METHOD, encode, questions
from benchmarks.support.machine import machine
from benchmarks.support.markdown import table
from benchmarks.support.output import ROOT, argument_parser, log, write_json
from benchmarks.support.trials import export_recipes

RECIPES = ("default", "fast")
MODEL = "seq2sum"
BATCHING_FILE = ROOT / "serving" / "config" / "batching.config"
BURSTS = {1: 32, 32: 4, 512: 1}
"""Calls that run together with batching, by questions per call."""
PARTS: dict[str, tuple[tuple[Any, str], ...]] = {
    "parse": ((handlers, "_parse"),),
    "handle": (
        (ModelSpecResolver, "handle"),
        (Handle, "release"),
        (Handle, "__exit__"),
    ),
    "feeds": ((predict, "prepare"),),
    "batch": ((BatchedServable, "submit"), (BatchedServable, "run_waiting")),
    "run": ((saved_model.SavedModel, "run"),),
    "TensorFlow": ((session_runner, "session_run"),),
    "outputs": ((predict.PredictCall, "serialized"),),
    "metrics": ((handlers, "_count_success"), (runtime, "record")),
}
"""The functions that make up each part; the time of a part does not include that of others."""

OTHER, TOTAL = "other", "total"


class Profile:
    """Sums up the seconds of each part, without those of the parts that it calls."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._inner = 0.0
        for part, functions in PARTS.items():
            for owner, name in functions:
                setattr(owner, name, self._timed(part, getattr(owner, name)))

    def measure(self, function: Callable[[], object]) -> dict[str, float]:
        """Runs a function; returns seconds by part."""
        self._seconds = dict.fromkeys((*PARTS, OTHER), 0.0)
        self._timed(OTHER, function)()
        return self._seconds

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            outer, self._inner = self._inner, 0.0
            started = perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                elapsed = perf_counter() - started
                self._seconds[part] += elapsed - self._inner
                self._inner = outer + elapsed

        return timed


def main() -> int:
    """Runs the benchmark; returns the exit code."""
    parser = argument_parser(__doc__)
    parser.add_argument("--repetitions", type=int, default=400)
    options = parser.parse_args()
    described = machine()
    profile = Profile()
    rows = []
    for recipe, base in export_recipes(RECIPES, options.runs).items():
        for batching in (False, True):
            method = make_method(base / "1", batching=batching)
            for questions_per_call in BURSTS:
                log(f"{recipe}, batching {batching}, {questions_per_call} questions")
                parts = measure(
                    profile, method, questions_per_call, options.repetitions, batching=batching
                )
                rows.append((recipe, batching, questions_per_call, parts))
    keys = ("recipe", "batching", "questions", "microseconds")
    values = [dict(zip(keys, row, strict=True)) for row in rows]
    write_json(
        options.out / "call.json",
        {"command": "make bench-call", "machine": described, "rows": values},
    )
    cells = (
        [recipe, "yes" if batching else "no", number, *(f"{us:,.1f}" for us in parts.values())]
        for recipe, batching, number, parts in rows
    )
    print(table(("recipe", "batching", "questions", *rows[0][3]), cells))
    return 0


def make_method(version: Path, *, batching: bool) -> handlers.Method:
    """Loads a version; returns the method Predict that serves it."""
    config = session_config(intra_op=1)
    servable: Any = saved_model.load(str(version), session_config=config)
    if batching:
        parameters = read_text_proto(str(BATCHING_FILE), batching_pb2.BatchingParameters())
        servable = make_wrap(parameters)(servable, MODEL, 1, "")
    versions: ServingMap[Any] = ServingMap()
    versions.add(MODEL, 1, servable)
    service = PredictionService(ModelSpecResolver(versions.handle).handle, InferenceOptions())
    return handlers.prediction_methods(service)[METHOD]


def measure(
    profile: Profile, method: handlers.Method, rows: int, repetitions: int, *, batching: bool
) -> dict[str, float]:
    """Returns microseconds by part of a call with a number of questions."""
    message = encode(MODEL, questions(rows, 0))
    calls = BURSTS[rows] if batching else 1

    def burst() -> None:
        if not batching:
            handlers.run_call(method, message, None)
            return
        replies: list[bytes | ServingError] = []
        for _ in range(calls):
            finish = handlers.start_call(method, message, None, replies.append)
        assert finish
        finish()
        while len(replies) < calls:  # an idle batch thread took the burst
            sleep(0)
        assert all(isinstance(reply, bytes) for reply in replies), replies

    count = max(repetitions // calls, 50)
    samples = [profile.measure(burst) for _ in range(count)][count // 5 :]
    parts = {
        part: 1e6 * statistics.median(sample[part] for sample in samples) / calls
        for part in (*PARTS, OTHER)
    }
    return {**parts, TOTAL: sum(parts.values())}


if __name__ == "__main__":
    sys.exit(main())
