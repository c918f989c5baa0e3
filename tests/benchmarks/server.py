"""Questions a second through the embedded server, against the same graph called in-process.

`make bench-server`: `default` and `fast`, by questions a call and calls at a time. For each
recipe there are three processes that wait their turn: the server, one that only calls the
graph's session with arrays of strings, by as many threads, and the same server with
`--enable_batching`. They take turns for several rounds; the medians are compared.

Requests are bytes made beforehand (see loads.py), for it is the server that is measured. But
whoever sends them shares its cores, and what they cost shortens what is left for it: so beside
questions a second of wall time there are those of a CPU second of the process that serves.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import loads
import servers
import trials
from matplotlib.figure import Figure
from seq2sum_training.pictures import COLOURS, drawn
from trials import Trial

from client import exported

RECIPES = ("default", "fast")
LOADS = ((1, 1), (1, 64), (32, 8), (512, 8), (4096, 4))
"""Questions a call, calls at a time."""
SESSION, SERVER, BATCHING = "in-process", "server", "server, --enable_batching"
WAYS = {SESSION: LOADS, SERVER: LOADS, BATCHING: ((1, 64),)}
"""What each is measured with."""

COLUMNS = (
    "recipe", "batch × concurrent", "way", "questions/s", "of in-process", "CPU, µs",
    "of in-process", "client CPU, µs",
)  # fmt: skip
"""Of the table."""

SHARE = 0.85
"""Of in-process, with 4,096 questions a call, where the network is most of the work."""
RATE = 500_000
"""Questions a second, the same for the small network, where the way there and back is."""
TIMES = 20
"""What 512 questions a call, by 8, should be against 1 by 64."""


class Row(NamedTuple):
    """One way with one load, medians over the rounds."""

    recipe: str
    way: str
    batch: int
    concurrent: int
    questions_a_second: float
    cpu_microseconds: float
    """Of one question, in the process that runs the graph."""
    client_cpu_microseconds: float
    """Of one question, in the process that asks it."""

    @property
    def load(self) -> tuple[int, int]:
        """Questions a call, calls at a time."""
        return self.batch, self.concurrent


def main() -> int:
    """Runs the benchmark; gives back the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=Path, default=Path("runs/bench-training"))
    options.add_argument("--out", type=Path, default=Path("docs"))
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=1.5, help="of one load in one round")
    options.add_argument("--recipes", nargs="+", default=RECIPES, choices=RECIPES)
    chosen = options.parse_args()
    list(trials.outcomes([Trial(name, name) for name in chosen.recipes], chosen.runs, jobs=1))
    rows: list[Row] = []
    for name in chosen.recipes:
        base = exported(chosen.runs / name, chosen.runs / "models" / name)
        rows += measured(name, base, chosen.runs, rounds=chosen.rounds, seconds=chosen.seconds)
    found = verdicts(rows)
    result = {
        "command": "make bench-server",
        "cpus": os.cpu_count(),
        "rounds": chosen.rounds,
        "rows": [row._asdict() for row in rows],
        "targets": [verdict._asdict() for verdict in found],
    }
    trials.write(chosen.out / "server.json", result)
    (chosen.out / "server.svg").write_text(picture(rows))
    print(table(rows), end="\n\n")
    print("\n".join(str(verdict) for verdict in found))
    return 0


def measured(recipe: str, base: Path, logs: Path, *, rounds: int, seconds: float) -> list[Row]:
    """All ways in turn, so that what else the machine does meets all of them."""
    samples: dict[tuple[str, int, int], list[Row]] = {}
    with ExitStack() as ending:
        asked = {
            SESSION: ending.enter_context(asking("session", str(version(base)))),
            SERVER: ending.enter_context(served(base, logs)),
            BATCHING: ending.enter_context(served(base, logs, "--enable_batching")),
        }
        for number in range(rounds):
            for load in LOADS:
                told(f"{recipe}, round {number + 1}/{rounds}: {named(load)}")
                for way, process in asked.items():
                    if load in WAYS[way]:
                        row = sample(process, recipe, way, load, seconds)
                        samples.setdefault((way, *load), []).append(row)
    return [
        Row(*group[0][:4], *(statistics.median(each[i] for each in group) for i in (4, 5, 6)))
        for group in samples.values()
    ]


def sample(
    process: subprocess.Popen[str],
    recipe: str,
    way: str,
    load: tuple[int, int],
    seconds: float,
) -> Row:
    """One way with one load for a while."""
    assert process.stdin
    assert process.stdout
    print(*load, seconds, file=process.stdin, flush=True)
    line = process.stdout.readline()
    if not line:
        sys.exit(f"{way}, {named(load)}: no answer")
    questions, took, serving, client = json.loads(line)
    return Row(
        recipe, way, *load, questions / took, serving / questions * 1e6, client / questions * 1e6
    )


@contextmanager
def served(base: Path, logs: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """A process that asks a server of its own."""
    server = servers.Server.launch(base, logs, flags=flags)
    try:
        server.wait_until_open()
        with asking("server", server.target, str(server.process.pid)) as process:
            yield process
    finally:
        server.stop()


@contextmanager
def asking(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that puts the loads that it reads on what the arguments name."""
    process = subprocess.Popen(
        [sys.executable, loads.__file__, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # The same kernels on both sides: the server turns oneDNN on.
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"},
    )
    with process:
        try:
            yield process
        finally:
            process.communicate()  # closes its input, with which it ends


def version(base: Path) -> Path:
    """The folder of the newest version."""
    return max((child for child in base.iterdir() if child.name.isdigit()), key=_number)


def _number(folder: Path) -> int:
    return int(folder.name)


def named(load: tuple[int, int]) -> str:
    """A load in a table: `32 × 8`."""
    return f"{load[0]:,} × {load[1]}"


def told(text: str) -> None:
    """Progress."""
    print(text, file=sys.stderr, flush=True)


class Verdict(NamedTuple):
    """A target, and what was reached."""

    what: str
    reached: float
    target: float

    @property
    def met(self) -> bool:
        """Whether it was."""
        return self.reached >= self.target

    def __str__(self) -> str:
        word = "reached" if self.met else "MISSED "
        return f"{word}  {self.what}: {number(self.reached)} (target {number(self.target)})"


def number(figure: float) -> str:
    """Three digits, or whole with separators."""
    return f"{figure:,.0f}" if figure >= 1000 else f"{figure:.3g}"


def verdicts(rows: list[Row]) -> list[Verdict]:
    """Every target for every recipe."""
    found = []
    largest, small, large = (4096, 4), (1, 64), (512, 8)
    for recipe in dict.fromkeys(row.recipe for row in rows):
        known = {(row.way, row.load): row for row in rows if row.recipe == recipe}
        through, inside = known[SERVER, largest], known[SESSION, largest]
        cpu = inside.cpu_microseconds / through.cpu_microseconds
        wall = through.questions_a_second / inside.questions_a_second
        times = known[SERVER, large].questions_a_second / known[SERVER, small].questions_a_second
        if recipe == "default":
            shared = f"{recipe}, {named(largest)}, share of in-process"
            beside = "the client on the same cores"
            found += [
                Verdict(f"{shared} by CPU time", cpu, SHARE),
                Verdict(f"{shared} by wall time, {beside}", wall, SHARE),
            ]
        else:
            rate = through.questions_a_second
            found.append(Verdict(f"{recipe}, {named(largest)}, questions a second", rate, RATE))
        found.append(Verdict(f"{recipe}, {named(large)} against {named(small)}", times, TIMES))
    return found


def table(rows: list[Row]) -> str:
    """A Markdown table, a row for each way and load."""
    inside = {(r.recipe, r.load): r for r in rows if r.way == SESSION}
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    for row in sorted(rows, key=lambda row: (row.recipe, row.load, list(WAYS).index(row.way))):
        base = inside[row.recipe, row.load]
        lines.append(
            f"| {row.recipe} | {named(row.load)} | {row.way} "
            f"| {row.questions_a_second:,.0f} "
            f"| {row.questions_a_second / base.questions_a_second:.0%} "
            f"| {row.cpu_microseconds:,.2f} "
            f"| {base.cpu_microseconds / row.cpu_microseconds:.0%} "
            f"| {row.client_cpu_microseconds:,.2f} |"
        )
    return "\n".join(lines)


@drawn
def picture(rows: list[Row]) -> Figure:
    """Questions a second and CPU time of a question, by load: a column of two for each recipe."""
    recipes = list(dict.fromkeys(row.recipe for row in rows))
    figure = Figure(figsize=(10, 1 + 2.3 * len(recipes)), layout="constrained")
    grid = figure.subplots(len(recipes), 2, sharey=True, squeeze=False)
    for (rates, costs), recipe in zip(grid, recipes, strict=True):
        for way, colour in zip(WAYS, COLOURS, strict=False):
            own = [row for row in rows if (row.recipe, row.way) == (recipe, way)]
            places = [LOADS.index(row.load) for row in own]
            rates.plot(
                [row.questions_a_second for row in own], places, "o", color=colour, label=way
            )
            costs.plot([row.cpu_microseconds for row in own], places, "o", color=colour)
        rates.set(xscale="log", title=f"{recipe}: questions a second")
        rates.set_yticks(range(len(LOADS)), [named(load) for load in LOADS])
        costs.set(xscale="log", title=f"{recipe}: CPU time of a question, µs")
        for axes in (rates, costs):
            axes.tick_params(labelsize=8)
            axes.grid(axis="both", alpha=0.2)
    grid[0][0].invert_yaxis()  # all of them share it
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3,
                  frameon=False, fontsize=8)  # fmt: skip
    return figure


if __name__ == "__main__":
    sys.exit(main())
