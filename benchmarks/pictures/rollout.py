"""The picture of `make soak-rollout`: which version answered, the candidate's weight, latency."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from statistics import median
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from seq2sum_training.evaluate.picture_style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAPER,
    PURPLE,
    RED,
    as_svg,
)

from benchmarks.pictures.drawing import frame, label, logarithmic, new_figure

BIN = 4
"""Seconds of a point: more points would not be visible."""
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
FAULTS = {"shuffled": "wrong answers", "truncated": "a damaged file", "slow": "too slow"}
"""What is wrong with a version, by its name."""


class Run(NamedTuple):
    """The time in which a candidate had a share of the router's calls."""

    start: float
    end: float
    version: int
    promoted: bool


@as_svg
def picture(values: Any) -> Figure:
    """Draws calls per second by version, the candidate's weight, and latency."""
    seconds = [(second, _numbered(by), p50, p99) for second, by, p50, p99 in values["seconds"]]
    versions = sorted({version for _, by, *_ in seconds for version in by})
    colours = {version: COLOURS[i % len(COLOURS)] for i, version in enumerate(versions)}
    never = [(int(n), FAULTS[name]) for n, name in values["versions"].items() if name in FAULTS]
    faults = ", ".join(f"{version} ({fault})" for version, fault in never)
    runs = runs_of(values["changes"], seconds)
    figure = new_figure(
        f"{values['failed']} of {values['calls']:,} calls failed while versions were promoted, "
        "aborted and rolled back",
        f"The command that changes versions was killed {values['commands_killed']} times, a server "
        f"twice. Versions {faults}: stopped\nby a gate before any caller reached them.",
        height=6.2,
    )
    rates, weights, latency = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1.6, 1.6))
    draw_rates(rates, seconds, colours)
    draw_rollbacks(rates, values["changes"])
    draw_weights(weights, values["changes"], runs, colours)
    draw_latency(latency, seconds)
    latency.set(xlabel="seconds", xlim=(0, seconds[-1][0]))
    return figure


def _numbered(by_version: dict[str, int]) -> dict[int, int]:
    return {int(version): count for version, count in by_version.items()}


def runs_of(changes: Any, seconds: Any) -> list[Run]:
    """Returns the runs in which a candidate had a weight and answered."""
    runs, stable, start = list[Run](), 0, None
    for change in changes:
        new = change.get("labels set", {}).get("stable", stable)
        weights = change.get("weights set", {})
        if weights.get("canary") and start is None:
            start, before = change["second"], stable
        elif weights and not weights.get("canary") and start is not None:
            end = change["second"]
            answered = Counter[int]()
            for second, by_version, *_ in seconds:
                if start <= second <= end:
                    answered.update({v: n for v, n in by_version.items() if v != before})
            runs += [Run(start, end, v, promoted=v == new) for v, _ in answered.most_common(1)]
            start = None
        stable = new
    return runs


def draw_rates(axes: Axes, seconds: Any, colours: dict[int, str]) -> None:
    """Draws calls per second by version, and each version's number where it answers most."""
    bins = range(0, len(seconds) - BIN + 1, BIN)
    counts = {
        version: [sum(by.get(version, 0) for _, by, *_ in seconds[i : i + BIN]) / BIN for i in bins]
        for version in colours
    }
    axes.stackplot(list(bins), *counts.values(), colors=list(colours.values()), linewidth=0)
    for version, rates in counts.items():
        if max(rates) > 100:
            places = longest([rate > max(rates) / 2 for rate in rates])
            middle = places[len(places) // 2]
            below = sum(counts[v][middle] for v in counts if v < version)
            text = f"version {version}" if len(places) > len(bins) / 12 else f"{version}"
            label(axes, text, BIN * middle, below + rates[middle] / 2, colour=PAPER, right=0,
                  ha="center", fontweight="bold")  # fmt: skip
    axes.set_title("Calls per second, by the version that answered", pad=20)
    axes.set_ylim(0)
    frame(axes)


def longest(flags: list[bool]) -> list[int]:
    """Returns the indices of the longest series of true values."""
    groups = (list(group) for _, group in groupby(range(len(flags)), key=flags.__getitem__))
    return max((group for group in groups if flags[group[0]]), key=len)


def draw_rollbacks(axes: Axes, changes: Any) -> None:
    """Marks rollbacks: the moments at which the stable version is an older one again."""
    stable = 0
    for change in changes:
        new = change.get("labels set", {}).get("stable", stable)
        if new < stable:
            axes.axvline(change["second"], color=RED, linewidth=1.2, ymax=1.02, clip_on=False)
            axes.text(change["second"], 1.03, f"{stable} rolled back", color=RED, ha="center",
                      va="bottom", fontsize=9, transform=axes.get_xaxis_transform())  # fmt: skip
        stable = new


def draw_weights(axes: Axes, changes: Any, runs: list[Run], colours: dict[int, str]) -> None:
    """Draws the weight of the candidate, and the outcome of each run."""
    steps = [
        (c["second"], c["weights set"].get("canary", 0)) for c in changes if "weights set" in c
    ]
    for run in runs:
        own = [(at, weight) for at, weight in steps if run.start <= at <= run.end]
        axes.fill_between(*zip(*own, strict=True), step="post", color=colours[run.version], lw=0)
        top = own[-2][1]
        if run.promoted:
            middle = (run.start + run.end) / 2
            label(axes, f"{run.version} promoted", middle, top, up=8, right=0, ha="center")
        else:
            label(
                axes,
                f"{run.version} aborted",
                run.end,
                top,
                colour=RED,
                right=3,
                up=-5 if top > 30 else 5,
            )
    axes.set_title("The candidate's share of calls to the router", pad=12)
    axes.set_ylim(0, 60)
    axes.set_yticks((0, 10, 50), ("0 %", "10 %", "50 %"))
    frame(axes)


def draw_latency(axes: Axes, seconds: Any) -> None:
    """Draws the median latency, and p99."""
    answered = [(second, p50, p99) for second, _, p50, p99 in seconds if p50 is not None]
    bins = [answered[i : i + BIN] for i in range(0, len(answered), BIN)]
    time = [rows[0][0] for rows in bins]
    for name, column, colour in (("99 % are\nfaster", 2, GREY), ("median", 1, BLUE)):
        milliseconds = [median(row[column] for row in rows) for rows in bins]
        axes.plot(time, milliseconds, color=colour, linewidth=1.2)
        label(axes, name, time[-1], median(milliseconds[-10:]), colour=colour)
    axes.set_title("Latency of a call, ms (logarithmic)")
    logarithmic(axes.yaxis, (10, 100, 1000))
    axes.set_ylim(4, 2000)
    frame(axes)
