"""Finds good batching parameters for this machine: `make bench-batching`.

One server runs for each candidate, all with the same models and at the same time. In every round
each of them gets each load for a short time, so that other load on the machine affects all of
them; the figures that are compared are ratios to batching off in the same round. The first
candidate runs twice, and the difference between the two is noise. After a few rounds candidates
that are clearly worse drop out, and the others continue until the time is up. `selection.py` then
chooses one.

It measures the server that SEQ2SUM_SERVER_COMMAND starts, for example a real
tensorflow_model_server.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from support import processes, servers

from benchmarks.batching import config_file, report
from benchmarks.batching.candidates import LOADS, Candidate, candidates
from benchmarks.batching.selection import Measurement, choose, still_running
from benchmarks.load.generator import Load
from benchmarks.load.process import LoadGenerator
from benchmarks.pictures.results import draw_again
from benchmarks.support.machine import machine
from benchmarks.support.output import argument_parser, log, write
from benchmarks.support.trials import export_recipes

RECIPES = ("default", "fast")
SCREENING_ROUNDS = 3
"""Rounds before a candidate may drop out."""
WARM_UP = 0.1
"""Seconds for which every server gets each load before the first round."""


def main() -> int:
    """Runs the benchmark; returns the exit code."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--minutes", type=float, default=7, help="time limit; no round starts that would exceed it"
    )
    parser.add_argument("--rounds", type=int, default=20, help="maximum number of rounds")
    parser.add_argument("--seconds", type=float, default=0.6, help="per load and round")
    parser.add_argument(
        "--write", action="store_true", help=f"write {config_file.PATH.name} for the servers"
    )
    parser.add_argument("--note", help="stored with the figures, for example about other load")
    options = parser.parse_args()
    bases = export_recipes(RECIPES, options.runs)
    wanted = candidates(os.cpu_count() or 1)
    about = machine(options.note)
    with LoadGenerator() as generator, serve(wanted, bases, options.runs) as running:
        measurements = measure(
            generator, running, LOADS, minutes=options.minutes, rounds=options.rounds,
            seconds=options.seconds,
        )  # fmt: skip
    choice = choose(measurements, wanted)
    write(options.out / "batching.json", report.to_json(measurements, wanted, about))
    draw_again(options.out, "batching")
    if options.write:
        write(config_file.PATH, config_file.render(measurements, wanted, about))
    print(report.candidates_table(measurements), end="\n\n")
    print("\n".join(report.explain(choice)))
    return 0


def measure(
    generator: LoadGenerator,
    running: Mapping[Candidate, servers.Server],
    loads: Sequence[Load],
    *,
    minutes: float,
    rounds: int,
    seconds: float,
) -> list[Measurement]:
    """Measures all candidates in turns, round by round, until the time is up."""
    start = time.monotonic()
    remaining = list(running)
    for candidate in remaining:
        for load in loads:
            generator.sample(running[candidate], load, min(seconds, WARM_UP))
    measurements: list[Measurement] = []
    for number in range(rounds):
        round_start, count = time.monotonic(), len(remaining)
        for load in loads:
            log(f"round {number + 1}, {count} candidates: {load}")
            # Rotated each round, so that no candidate always follows the same one.
            for candidate in remaining[number % count :] + remaining[: number % count]:
                sample = generator.sample(running[candidate], load, seconds)
                measurements.append(Measurement(candidate.name, load, number, sample))
        if number + 1 >= SCREENING_ROUNDS:
            remaining = still_running(measurements, remaining)
        end = time.monotonic()
        if end + (end - round_start) * len(remaining) / count > start + 60 * minutes:
            break
    return measurements


@contextmanager
def serve(
    wanted: Sequence[Candidate], bases: Mapping[str, Path], folder: Path
) -> Iterator[dict[Candidate, servers.Server]]:
    """Runs a server with all models for each candidate."""
    models = folder / "batching-models.config"
    models.write_text(model_config(bases))
    running: dict[Candidate, servers.Server] = {}
    try:
        for number, candidate in enumerate(wanted):  # one after the other: each uses all cores
            log(f"starting: {candidate.name}")
            file = (folder / f"batching-{number}.config").absolute()
            if candidate.parameters:
                file.write_text(config_file.render_parameters(candidate.parameters))
            running[candidate] = servers.Server.launch(
                None, folder, config=models.absolute(), flags=candidate.flags(str(file)),
                forked=True,
            )  # fmt: skip
            running[candidate].wait_until_open()
        yield running
    finally:
        for server in running.values():
            server.stop()
        processes.close()


def model_config(bases: Mapping[str, Path]) -> str:
    """Returns a model config file with these models."""
    entries = [
        f'  config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" }}\n'
        for name, base in bases.items()
    ]
    return f"model_config_list {{\n{''.join(entries)}}}\n"


if __name__ == "__main__":
    sys.exit(main())
