"""What a question costs by each way of asking, and what a client costs: `make bench-client`.

A server in a process of its own serves `fast`. Ways of asking take turns, each in a fresh
process, for several rounds; the medians are compared. CPU time is that of both sides.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import asking
import footprint
import servers
import trials
from matplotlib.figure import Figure
from seq2sum_training.pictures import COLOURS, drawn
from trials import Trial

RECIPE = "fast"
NAMES = {
    "upstream_one": "tensorflow-serving-api, one a call",
    "add": "add, in a loop",
    "threads_alone": "add, 64 threads",
    "threads_coalesced": "add, 64 threads, coalesced",
    "tasks_alone": "add, 64 tasks",
    "tasks_coalesced": "add, 64 tasks, coalesced",
    "upstream_many": "tensorflow-serving-api, 4,096 a call",
    "add_many": "add_many",
    "add_stream": "add_stream",
    "add_columns": "add_columns",
    "stream_columns": "stream_columns",
}
TARGETS = {
    ("tasks_coalesced", "tasks_alone"): 10,
    ("threads_coalesced", "threads_alone"): 10,
}
"""How many times the questions of the second way the first one should answer."""
FASTEST = ("add_many", "add_stream", "add_columns", "stream_columns")
QUESTIONS_A_SECOND = 500_000
"""What the ways for many questions should reach, the server on the same two cores."""
SMALLER, QUICKER = 80, 20
"""How much less the client should cost to install and to import than the upstream package."""


class Measured(NamedTuple):
    """One way of asking, medians over the rounds."""

    way: str
    questions_a_second: float
    client_cpu_microseconds: float
    """Of one question."""
    server_cpu_microseconds: float
    """Of one question."""


def main() -> int:
    """Runs the benchmark; gives back the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=Path, default=Path("runs/bench-training"))
    options.add_argument("--out", type=Path, default=Path("docs"))
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=2.5, help="of one way in one round")
    chosen = options.parse_args()
    [outcome] = trials.outcomes([Trial(RECIPE, RECIPE)], chosen.runs, jobs=1)
    base = exported(chosen.runs / outcome.name, chosen.runs / "models" / RECIPE)
    server = servers.Server.launch(base, chosen.runs)
    try:
        server.wait_until_open()
        found = measured(server, rounds=chosen.rounds, seconds=chosen.seconds)
    finally:
        server.stop()
    costs = {package: footprint.footprint(package) for package in footprint.IMPORTS}
    result = {
        "recipe": RECIPE,
        "command": "make bench-client",
        "ways": [row._asdict() for row in found],
        "footprint": {package: cost._asdict() for package, cost in costs.items()},
    }
    trials.write(chosen.out / "client.json", result)
    (chosen.out / "client.svg").write_text(picture(found))
    print(table(found), end="\n\n")
    print(footprints(costs), end="\n\n")
    print("\n".join(verdicts(found, costs)))
    return 0


def exported(run: Path, base: Path, *, force: bool = False) -> Path:
    """A base path with a version of the run; what is there already is served as it is."""
    if not base.is_dir():
        trials.command("export", str(run), "--to", str(base), *(["--force"] if force else []))
    return base.resolve()  # a server takes nothing else


def measured(server: servers.Server, *, rounds: int, seconds: float) -> list[Measured]:
    """All ways in turn, so that what else the machine does meets all of them."""
    samples: dict[str, list[Measured]] = {way: [] for way in asking.WAYS}
    for number in range(rounds):
        for way in asking.WAYS:
            print(f"round {number + 1}/{rounds}: {NAMES[way]}", file=sys.stderr, flush=True)
            samples[way].append(sample(server, way, seconds))
    return [
        Measured(way, *(statistics.median(each[i] for each in group) for i in (1, 2, 3)))
        for way, group in samples.items()
    ]


def sample(server: servers.Server, way: str, seconds: float) -> Measured:
    """One way for a while."""
    done = subprocess.run(
        [
            sys.executable,
            asking.__file__,
            way,
            server.target,
            str(server.process.pid),
            str(seconds),
        ],
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    questions, took, ours, theirs = json.loads(done.stdout.splitlines()[-1])
    return Measured(way, questions / took, ours / questions * 1e6, theirs / questions * 1e6)


def ratio(found: list[Measured], way: str, other: str) -> float:
    """How many times the questions of `other`."""
    rates = {row.way: row.questions_a_second for row in found}
    return rates[way] / rates[other]


def table(found: list[Measured]) -> str:
    """A Markdown table, a row for each way."""
    lines = [
        "| way of asking | questions/s | × naive | client CPU, µs | server CPU, µs |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {NAMES[row.way]} | {row.questions_a_second:,.0f} "
        f"| {ratio(found, row.way, 'upstream_one'):,.1f} "
        f"| {row.client_cpu_microseconds:,.2f} | {row.server_cpu_microseconds:,.2f} |"
        for row in found
    ]
    return "\n".join(lines)


def footprints(costs: dict[str, footprint.Footprint]) -> str:
    """A Markdown table, a row for each package."""
    lines = ["| package | installed | import | memory |", "|---|---|---|---|"]
    lines += [
        f"| {package} | {cost.megabytes:,.0f} MB | {cost.cpu_seconds:.2f} CPU-s "
        f"| {cost.resident:,.0f} MB |"
        for package, cost in costs.items()
    ]
    return "\n".join(lines)


def verdicts(found: list[Measured], costs: dict[str, footprint.Footprint]) -> list[str]:
    """Each target, and what was reached."""
    ours, theirs = (costs[name] for name in footprint.IMPORTS)
    rates = {row.way: row.questions_a_second for row in found}
    reached = [
        (f"{NAMES[way]} vs {NAMES[other]}", ratio(found, way, other), float(wanted), "×")
        for (way, other), wanted in TARGETS.items()
    ]
    reached += [(NAMES[way], rates[way], QUESTIONS_A_SECOND, " questions/s") for way in FASTEST]
    reached += [
        ("installed size, times smaller", theirs.megabytes / ours.megabytes, SMALLER, "×"),
        ("CPU time of the import, times less", theirs.cpu_seconds / ours.cpu_seconds, QUICKER, "×"),
    ]
    return [
        f"{'reached' if value >= wanted else 'MISSED '}  {what}: {value:,.1f}{unit} "
        f"(target {wanted:,.0f})"
        for what, value, wanted, unit in reached
    ]


@drawn
def picture(found: list[Measured]) -> Figure:
    """Questions a second and CPU time of a question, a dot for each way."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    rates, costs = figure.subplots(1, 2, sharey=True)
    names = [NAMES[row.way] for row in found]
    rates.plot([row.questions_a_second for row in found], names, "o", color=COLOURS[0])
    rates.set(xscale="log", title="Questions a second")
    rates.invert_yaxis()
    for side, colour in zip(("client", "server"), COLOURS, strict=False):
        spent = [getattr(row, f"{side}_cpu_microseconds") for row in found]
        costs.plot(spent, names, "o", color=colour, label=side)
    costs.set(xscale="log", title="CPU time of a question, µs")
    costs.legend(frameon=False, fontsize=8)
    for axes in (rates, costs):
        axes.tick_params(labelsize=8)
        axes.grid(axis="both", alpha=0.2)
    return figure


if __name__ == "__main__":
    sys.exit(main())
