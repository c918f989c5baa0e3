"""What a story shows, drawn: who answered when, how labels moved, and how long calls took."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from rollouts.allowed import LABELS, moment
from rollouts.report import FAILURES, Report
from seq2sum_serving.rollout.state import CANARY, STABLE
from seq2sum_training.pictures import COLOURS, INK, RED, drawn


@drawn
def picture(report: Report) -> Figure:
    """Calls a second by version with the moves of labels, and latency below."""
    story, seconds = report.story, report.seconds()
    colours = dict(zip(dict.fromkeys(story.names.values()), COLOURS, strict=False))
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    rates, latency = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    time = [one.second for one in seconds]
    rates.stackplot(
        time,
        *([one.by_version.get(version, 0) for one in seconds] for version in story.names),
        colors=[colours[name] for name in story.names.values()],
        linewidth=0,
    )
    shown = {story.names[call.version] for call in story.calls if call.version in story.names}
    rates.legend(
        handles=[Patch(color=colours[name], label=name) for name in colours if name in shown],
        frameon=False,
        fontsize=8,
        loc="lower right",
        bbox_to_anchor=(1, 1.1),
        ncols=max(len(shown), 1),
    )
    rates.set_title("Calls a second, by the version that answered", pad=28)
    rates.set_ylim(0)
    mark_moves(rates, latency, report)
    for name, colour in (("p99", COLOURS[1]), ("p50", COLOURS[0])):
        measured = [getattr(one, name) for one in seconds]
        latency.plot(time, measured, color=colour, linewidth=1, label=name)
    latency.set(title="Latency of a call, ms", xlabel="seconds", xlim=(0, max(time, default=1)))
    latency.set_ylim(0)
    latency.legend(frameon=False, fontsize=8, loc="upper right")
    for axes in (rates, latency):
        axes.tick_params(labelsize=8)
        axes.grid(axis="both", alpha=0.2)
    return figure


def mark_moves(rates: Axes, latency: Axes, report: Report) -> None:
    """A line where `stable` moves, a dotted one where a trial begins, red where one is ended."""
    story, stable, trial = report.story, None, None
    for event in story.events:
        at = moment(event) - story.began
        if event.what in FAILURES and at > 0:
            mark([rates, latency], at, f"{event.version} back", colour=RED, style="-", row=1)
        if event.what != LABELS:
            continue
        was, stable = stable, event.figures.get(STABLE)
        tried, trial = trial, event.figures.get(CANARY)
        if at > 0 and stable != was:
            mark([rates, latency], at, f"{stable}", colour=INK, style="-")
        elif at > 0 and trial not in (tried, stable):
            mark([rates, latency], at, f"({trial})", colour=INK, style=":")


def mark(
    both: Iterable[Axes], at: float, text: str, *, colour: str, style: str, row: int = 0
) -> None:
    """A moment in both drawings, with a word above them."""
    for place, axes in enumerate(both):
        axes.axvline(at, color=colour, linewidth=0.8, linestyle=style)
        if place == 0:
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
