"""The summary, JSON and picture of `make soak-balancing`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deploy.balancing_load import Call
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from seq2sum_serving.gates.quantile import P99, quantile
from seq2sum_training.evaluate.pictures import COLOURS, INK, RED, as_svg

from benchmarks.support.output import examples

MIN_CALLS = 1000
"""With fewer calls, a run without failures proves little."""


@dataclass(frozen=True, slots=True)
class BalancerRun:
    """The calls that one balancer handled while replicas changed."""

    name: str
    """The balancer, and which side retries."""
    may_fail: bool
    """Whether calls may fail: without retries they do, which serves as a reference."""
    start: float
    """By `time.monotonic`."""
    calls: Sequence[Call]
    events: Sequence[tuple[float, str]]
    """Seconds since the start, and the change of the replicas."""
    retries: int | None = None
    """Retries by Envoy; None for gRPC, which does not report them."""

    @property
    def failed(self) -> list[Call]:
        """The calls that failed."""
        return [call for call in self.calls if call.error]

    @property
    def passed(self) -> bool:
        """Whether there were enough calls, and no failure that is not allowed."""
        return len(self.calls) >= MIN_CALLS and (self.may_fail or not self.failed)

    @property
    def summary(self) -> str:
        """The number of failed calls in a sentence, with the first errors."""
        count = f"{len(self.failed):,} of {len(self.calls):,} calls failed"
        return f"{self.name}: {count}{examples(call.error for call in self.failed)}"

    def seconds(self) -> list[Counter[int]]:
        """Returns the calls that ended in each whole second, by the replica that answered."""
        found: list[Counter[int]] = []
        for call in self.calls:
            second = int(call.begin + call.seconds - self.start)
            found.extend(Counter() for _ in range(len(found), second + 1))
            if call.version is not None:
                found[second][call.version] += 1
        return found[:-1]

    def to_json(self) -> dict[str, Any]:
        """Returns the run as JSON values."""
        times = [call.seconds for call in self.calls]
        return {
            "balancer": self.name,
            "calls": len(self.calls),
            "failed": len(self.failed),
            "failures": dict(Counter(call.error.partition("(")[0] for call in self.failed)),
            "retries_by_envoy": self.retries,
            "p99_milliseconds": round(1000 * quantile(times, P99), 1) if times else None,
            "longest_milliseconds": round(1000 * max(times, default=0)),
            "events": [[round(at, 1), event] for at, event in self.events],
            "seconds": [dict(sorted(one.items())) for one in self.seconds()],
        }


@as_svg
def picture(runs: Sequence[BalancerRun]) -> Figure:
    """Draws calls per second by replica, a chart for each balancer, with the changes marked."""
    figure = Figure(figsize=(10, 2.2 * len(runs) + 0.4), layout="constrained")
    rows = figure.subplots(len(runs), 1, sharex=True, squeeze=False)[:, 0]
    replicas = sorted({call.version for run in runs for call in run.calls if call.version})
    colours = dict(zip(replicas, COLOURS, strict=False))
    for axes, run in zip(rows, runs, strict=True):
        draw(axes, run, colours)
    rows[0].legend(
        handles=[Patch(color=colours[each], label=f"replica {each}") for each in replicas],
        frameon=False,
        fontsize=8,
        loc="lower right",
        bbox_to_anchor=(1, 1.12),
        ncols=len(replicas),
    )
    rows[-1].set_xlabel("seconds")
    return figure


def draw(axes: Axes, run: BalancerRun, colours: dict[int, str]) -> None:
    """Draws one run: calls by replica, changes, and failed calls."""
    seconds = run.seconds()
    axes.stackplot(
        range(len(seconds)),
        *([one[replica] for one in seconds] for replica in colours),
        colors=list(colours.values()),
        linewidth=0,
    )
    count = f"{len(run.failed):,} of {len(run.calls):,} calls failed"
    axes.set_title(f"Calls per second, {run.name}: {count}", pad=18)
    axes.set(ylim=(0, None), xlim=(0, max(len(seconds) - 1, 1)))
    for at, event in run.events:
        axes.axvline(at, color=INK, linewidth=0.8, linestyle=":")
        axes.text(
            at, 1.01, event, transform=axes.get_xaxis_transform(), ha="center", va="bottom", size=7
        )
    for call in run.failed:
        end = call.begin + call.seconds - run.start
        axes.plot(end, 0, marker="x", color=RED, clip_on=False, zorder=3)
    axes.tick_params(labelsize=8)
    axes.grid(axis="both", alpha=0.2)
