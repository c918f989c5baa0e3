"""What came of calls while replicas came and went: by second, in words, and drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deploy.balancing_load import Call
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from seq2sum_serving.rollout.gates.quantile import P99, quantile
from seq2sum_training.pictures import COLOURS, INK, RED, drawn

FEWEST = 1000
"""Calls a way: with fewer, none that failed says little."""
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Way:
    """A way of sharing calls out, and what came of it."""

    name: str
    """What shared them out, and who made second attempts."""
    none_may_fail: bool
    """Whether a call that fails is a fault; else it is there to compare with."""
    began: float
    """By `time.monotonic`."""
    calls: Sequence[Call]
    events: Sequence[tuple[float, str]]
    """What was done to replicas, after so many seconds."""
    retries: int | None = None
    """Second attempts that Envoy made; None where gRPC makes them, which does not say."""

    @property
    def failed(self) -> list[Call]:
        """The calls that brought no answer."""
        return [call for call in self.calls if call.error]

    @property
    def good(self) -> bool:
        """Whether there were enough calls, and as few failures as there must be."""
        return len(self.calls) >= FEWEST and not (self.none_may_fail and self.failed)

    @property
    def verdict(self) -> str:
        """How many calls failed, in words."""
        first = "; ".join(call.error for call in self.failed[:EXAMPLES])
        told = f" ({first})" if first else ""
        return f"{self.name}: {len(self.failed):,} of {len(self.calls):,} calls failed{told}"

    def seconds(self) -> list[Counter[int]]:
        """For each whole second, the calls that ended in it, by the replica that answered."""
        found: list[Counter[int]] = []
        for call in self.calls:
            second = int(call.begin + call.seconds - self.began)
            found.extend(Counter() for _ in range(len(found), second + 1))
            if call.version is not None:
                found[second][call.version] += 1
        return found[:-1]

    def row(self) -> dict[str, Any]:
        """Ready for JSON."""
        times = [call.seconds for call in self.calls]
        return {
            "way": self.name,
            "calls": len(self.calls),
            "failed": len(self.failed),
            "failures": dict(Counter(call.error.partition("(")[0] for call in self.failed)),
            "retries_by_envoy": self.retries,
            "p99_milliseconds": round(1000 * quantile(times, P99), 1) if times else None,
            "longest_milliseconds": round(1000 * max(times, default=0)),
            "events": [[round(at, 1), what] for at, what in self.events],
            "seconds": [dict(sorted(one.items())) for one in self.seconds()],
        }


@drawn
def picture(ways: Sequence[Way]) -> Figure:
    """Calls a second by replica, a drawing for each way, with what was done to replicas."""
    figure = Figure(figsize=(10, 2.2 * len(ways) + 0.4), layout="constrained")
    rows = figure.subplots(len(ways), 1, sharex=True, squeeze=False)[:, 0]
    replicas = sorted({call.version for way in ways for call in way.calls if call.version})
    colours = dict(zip(replicas, COLOURS, strict=False))
    for axes, way in zip(rows, ways, strict=True):
        draw(axes, way, colours)
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


def draw(axes: Axes, way: Way, colours: dict[int, str]) -> None:
    """One way: who answered, what was done, and where calls failed."""
    seconds = way.seconds()
    axes.stackplot(
        range(len(seconds)),
        *([one[replica] for one in seconds] for replica in colours),
        colors=list(colours.values()),
        linewidth=0,
    )
    count = f"{len(way.failed):,} of {len(way.calls):,} calls failed"
    axes.set_title(f"Calls a second, {way.name}: {count}", pad=18)
    axes.set(ylim=(0, None), xlim=(0, max(len(seconds) - 1, 1)))
    for at, what in way.events:
        axes.axvline(at, color=INK, linewidth=0.8, linestyle=":")
        axes.text(
            at, 1.01, what, transform=axes.get_xaxis_transform(), ha="center", va="bottom", size=7
        )
    for call in way.failed:
        ended = call.begin + call.seconds - way.began
        axes.plot(ended, 0, marker="x", color=RED, clip_on=False, zorder=3)
    axes.tick_params(labelsize=8)
    axes.grid(axis="both", alpha=0.2)
