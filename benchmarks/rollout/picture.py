"""The picture of `make soak-rollout`: calls by version, the candidate's share, and latency."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from seq2sum_serving.deployment.event_log import EventKind
from seq2sum_serving.deployment.state import CANARY, STABLE
from seq2sum_training.evaluate.pictures import COLOURS, INK, RED, as_svg

from benchmarks.rollout.allowed_versions import LABELS, TAKEN_BACK, WEIGHTS, timestamp
from benchmarks.rollout.measures import Second, seconds
from benchmarks.rollout.report import Report


@as_svg
def picture(report: Report) -> Figure:
    """Draws calls per second by version, the candidate's share of the router, and latency."""
    result, found = report.result, seconds(report.result.calls, report.result.start)
    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 2))
    rates, shares, latency = axes
    draw_rates(rates, report, found)
    draw_shares(shares, report)
    time = [one.second for one in found]
    for name, colour in (("p99", COLOURS[1]), ("p50", COLOURS[0])):
        latency.plot(
            time, [getattr(one, name) for one in found], color=colour, linewidth=1, label=name
        )
    latency.set(title="Call latency, ms", xlabel="seconds", xlim=(0, max(time, default=1)))
    latency.set_yscale("log")
    latency.legend(frameon=False, fontsize=8, loc="upper right")
    mark_changes(axes, report)
    kills = [one.result.end - result.start for one in result.commands if one.result.killed]
    shares.plot(kills, [0] * len(kills), "|", color=RED, markersize=9, clip_on=False)
    for one in axes:
        one.tick_params(labelsize=8)
        one.grid(axis="both", alpha=0.2)
    return figure


def draw_rates(axes: Axes, report: Report, found: Sequence[Second]) -> None:
    """Draws the calls per second by version."""
    names = report.result.names
    shown = list(dict.fromkeys(names[v] for one in found for v in one.by_version if v in names))
    colours = dict(zip(shown, COLOURS, strict=False))

    def calls(one: Second, name: str) -> int:
        return sum(count for v, count in one.by_version.items() if names.get(v) == name)

    axes.stackplot(
        [one.second for one in found],
        *([calls(one, name) for one in found] for name in shown),
        colors=[colours.get(name, INK) for name in shown],
        linewidth=0,
    )
    axes.legend(
        handles=[Patch(color=colour, label=name) for name, colour in colours.items()],
        frameon=False,
        fontsize=8,
        loc="lower right",
        bbox_to_anchor=(1, 1.25),
        ncols=max(len(shown), 1),
    )
    axes.set_title("Calls per second by the name of the version", pad=36)
    axes.set_ylim(0)


def draw_shares(axes: Axes, report: Report) -> None:
    """Draws the weight of the candidate, and its share of the router's answers by second."""
    result = report.result
    events = [event for event in result.events if event.kind == WEIGHTS]
    times = [timestamp(event) - result.start for event in events]
    weights = [event.details.get(CANARY, 0) for event in events]
    axes.step(times, weights, where="post", color=INK, linewidth=0.8)
    dots: list[tuple[float, float]] = []
    for step in result.steps:
        calls = [
            call
            for call in result.calls
            if call.through_router and step.start <= call.start and call.end <= step.end
        ]
        for second in {int(call.end) for call in calls} if step.weight else ():
            versions = [call.version for call in calls if int(call.end) == second]
            share = 100 * versions.count(step.version) / len(versions)
            dots.append((second + 0.5 - result.start, share))
    axes.plot([at for at, _ in dots], [share for _, share in dots], ".", color=COLOURS[0], ms=4)
    axes.set(
        title="Candidate's weight (line) and share at the router (dots), %; red: killed commands",
        ylim=(0, 70),
    )


def mark_changes(axes: Sequence[Axes], report: Report) -> None:
    """Marks moves of `stable` (black), and versions that were aborted or rolled back (red)."""
    result, stable, moves = report.result, None, 0
    for event in result.events:
        at = timestamp(event) - result.start
        if event.kind in TAKEN_BACK and at > 0:
            by_hand = event.kind == EventKind.ROLLED_BACK and not event.run
            text = f"{event.version} {'rolled back' if by_hand else 'aborted'}"
            mark(axes, at, text, colour=RED, row=2 + (event.version or 0) % 2)
        if event.kind != LABELS:
            continue
        old, stable = stable, event.details.get(STABLE)
        if at > 0 and stable != old:
            mark(axes, at, f"{stable}", colour=INK, row=moves % 2)
            moves += 1


def mark(charts: Sequence[Axes], at: float, text: str, *, colour: str, row: int = 0) -> None:
    """Draws a vertical line in all charts, with a text above the first."""
    for axes in charts:
        axes.axvline(at, color=colour, linewidth=0.6)
    charts[0].text(
        at,
        1.01 + 0.055 * row,
        text,
        transform=charts[0].get_xaxis_transform(),
        ha="center",
        va="bottom",
        size=7,
        color=colour,
    )
