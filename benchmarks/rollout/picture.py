"""The picture of `make soak-rollout`: calls by version, moves of labels, and latency."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from seq2sum_serving.deployment.state import CANARY, STABLE
from seq2sum_training.evaluate.pictures import COLOURS, INK, RED, as_svg

from benchmarks.rollout.allowed_versions import LABELS, timestamp
from benchmarks.rollout.report import FAILURES, Report


@as_svg
def picture(report: Report) -> Figure:
    """Draws calls per second by version, with the moves of labels, and latency below."""
    result, seconds = report.result, report.seconds()
    colours = dict(zip(dict.fromkeys(result.names.values()), COLOURS, strict=False))
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    rates, latency = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    time = [one.second for one in seconds]
    rates.stackplot(
        time,
        *([one.by_version.get(version, 0) for one in seconds] for version in result.names),
        colors=[colours[name] for name in result.names.values()],
        linewidth=0,
    )
    shown = {result.names[call.version] for call in result.calls if call.version in result.names}
    rates.legend(
        handles=[Patch(color=colours[name], label=name) for name in colours if name in shown],
        frameon=False,
        fontsize=8,
        loc="lower right",
        bbox_to_anchor=(1, 1.1),
        ncols=max(len(shown), 1),
    )
    rates.set_title("Calls per second by version", pad=28)
    rates.set_ylim(0)
    mark_moves(rates, latency, report)
    for name, colour in (("p99", COLOURS[1]), ("p50", COLOURS[0])):
        measured = [getattr(one, name) for one in seconds]
        latency.plot(time, measured, color=colour, linewidth=1, label=name)
    latency.set(title="Call latency, ms", xlabel="seconds", xlim=(0, max(time, default=1)))
    latency.set_ylim(0)
    latency.legend(frameon=False, fontsize=8, loc="upper right")
    for axes in (rates, latency):
        axes.tick_params(labelsize=8)
        axes.grid(axis="both", alpha=0.2)
    return figure


def mark_moves(rates: Axes, latency: Axes, report: Report) -> None:
    """Marks moves of `stable` (solid), new canaries (dotted) and aborted versions (red)."""
    result, stable, canary = report.result, None, None
    for event in result.events:
        at = timestamp(event) - result.start
        if event.kind in FAILURES and at > 0:
            outcome = "aborted" if event.run else "rolled back"
            text = f"{event.version} {outcome}"
            mark([rates, latency], at, text, colour=RED, style="-", row=1)
        if event.kind != LABELS:
            continue
        old_stable, stable = stable, event.details.get(STABLE)
        old_canary, canary = canary, event.details.get(CANARY)
        if at > 0 and stable != old_stable:
            mark([rates, latency], at, f"{stable}", colour=INK, style="-")
        elif at > 0 and canary not in (old_canary, stable):
            mark([rates, latency], at, f"({canary})", colour=INK, style=":")


def mark(
    charts: Iterable[Axes], at: float, text: str, *, colour: str, style: str, row: int = 0
) -> None:
    """Draws a vertical line in all charts, with a text above the first."""
    for index, axes in enumerate(charts):
        axes.axvline(at, color=colour, linewidth=0.8, linestyle=style)
        if index == 0:
            axes.text(
                at,
                1.01 + 0.05 * row,
                text,
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="bottom",
                size=7,
                color=colour,
            )
