"""Loads, targets, table and picture of `make bench-server`."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.figure import Figure
from seq2sum_training.evaluate.pictures import COLOURS, as_svg

from benchmarks.support.markdown import table
from benchmarks.support.output import Target

LOADS = ((1, 1), (1, 64), (32, 8), (512, 8), (4096, 4))
"""Questions per call, concurrent calls."""
SESSION, SERVER, BATCHING = "in process", "server", "server, --enable_batching"
VARIANTS = {SESSION: LOADS, SERVER: LOADS, BATCHING: ((1, 64),)}
"""The loads of each variant."""

COLUMNS = (
    "recipe", "rows × callers", "variant", "questions/s", "vs. in process", "CPU, µs",
    "CPU efficiency vs. in process", "client CPU, µs",
)  # fmt: skip

SHARE = 0.85
"""Target for `default` with 4,096 questions per call, relative to calling the graph in process:
the network is most of the work."""
QUESTIONS_PER_SECOND = 500_000
"""Target for `fast` with 4,096 questions per call: transport is most of the work."""
RATIO = 20
"""Target for the throughput of 512 × 8 relative to 1 × 64."""


class Row(NamedTuple):
    """One variant under one load, medians over the rounds."""

    recipe: str
    variant: str
    rows: int
    """Questions per call."""
    callers: int
    """Concurrent calls."""
    questions_per_second: float
    cpu_microseconds: float
    """Per question, in the process that runs the graph."""
    client_cpu_microseconds: float
    """Per question, in the load generator."""

    @property
    def load(self) -> tuple[int, int]:
        """Questions per call, concurrent calls."""
        return self.rows, self.callers


def load_name(load: tuple[int, int]) -> str:
    """Formats a load for tables: `32 × 8`."""
    return f"{load[0]:,} × {load[1]}"


def targets(rows: list[Row]) -> list[Target]:
    """Returns every target for every recipe."""
    found = []
    largest, small, large = (4096, 4), (1, 64), (512, 8)
    for recipe in dict.fromkeys(row.recipe for row in rows):
        known = {(row.variant, row.load): row for row in rows if row.recipe == recipe}
        server, session = known[SERVER, largest], known[SESSION, largest]
        rate = server.questions_per_second
        name = f"{recipe}, {load_name(largest)}"
        if recipe == "default":
            cpu = session.cpu_microseconds / server.cpu_microseconds
            wall = rate / session.questions_per_second
            found += [
                Target(f"{name}, relative to in process by CPU time", cpu, SHARE),
                Target(
                    f"{name}, relative to in process by wall time, client on the same cores",
                    wall,
                    SHARE,
                ),
            ]
        else:
            found.append(Target(f"{name}, questions per second", rate, QUESTIONS_PER_SECOND))
        ratio = (
            known[SERVER, large].questions_per_second / known[SERVER, small].questions_per_second
        )
        found.append(
            Target(f"{recipe}, {load_name(large)} relative to {load_name(small)}", ratio, RATIO)
        )
    return found


def rows_table(rows: list[Row]) -> str:
    """Returns a Markdown table with a row for each variant and load."""
    sessions = {(row.recipe, row.load): row for row in rows if row.variant == SESSION}

    def cells(row: Row) -> list[str]:
        session = sessions[row.recipe, row.load]
        return [
            row.recipe,
            load_name(row.load),
            row.variant,
            f"{row.questions_per_second:,.0f}",
            f"{row.questions_per_second / session.questions_per_second:.0%}",
            f"{row.cpu_microseconds:,.2f}",
            f"{session.cpu_microseconds / row.cpu_microseconds:.0%}",
            f"{row.client_cpu_microseconds:,.2f}",
        ]

    order = sorted(rows, key=lambda row: (row.recipe, row.load, list(VARIANTS).index(row.variant)))
    return table(COLUMNS, map(cells, order))


@as_svg
def picture(rows: list[Row]) -> Figure:
    """Draws throughput and CPU time per question by load, a row of two charts for each recipe."""
    recipes = list(dict.fromkeys(row.recipe for row in rows))
    figure = Figure(figsize=(10, 1 + 2.3 * len(recipes)), layout="constrained")
    grid = figure.subplots(len(recipes), 2, sharey=True, squeeze=False)
    for (rates, costs), recipe in zip(grid, recipes, strict=True):
        for variant, colour in zip(VARIANTS, COLOURS, strict=False):
            own = [row for row in rows if (row.recipe, row.variant) == (recipe, variant)]
            heights = [LOADS.index(row.load) for row in own]
            rates.plot(
                [row.questions_per_second for row in own], heights, "o", color=colour, label=variant
            )
            costs.plot([row.cpu_microseconds for row in own], heights, "o", color=colour)
        rates.set(xscale="log", title=f"{recipe}: questions per second")
        rates.set_yticks(range(len(LOADS)), [load_name(load) for load in LOADS])
        rates.set_ylabel("questions per call × callers", fontsize=8)
        costs.set(xscale="log", title=f"{recipe}: CPU time per question, µs")
        for axes in (rates, costs):
            axes.tick_params(labelsize=8)
            axes.grid(axis="both", alpha=0.2)
    grid[0][0].invert_yaxis()  # shared by all charts
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3,
                  frameon=False, fontsize=8)  # fmt: skip
    return figure
