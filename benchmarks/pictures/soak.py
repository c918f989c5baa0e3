"""The picture of `make soak`: memory, threads and file descriptors of the server over time."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from seq2sum_training.evaluate.picture_style import BLUE, ORANGE, as_svg

from benchmarks.pictures.drawing import frame, label, new_figure


@as_svg
def picture(values: Any) -> Figure:
    """Draws memory, threads and file descriptors of the server over time."""
    calls = sum(one["ok"] + one["failed"] for one in values["calls"])
    failed = sum(one["failed"] for one in values["calls"])
    before, after = values["before"], values["after"]
    figure = new_figure(
        f"{values['minutes']:g} minutes of calls, version swaps and abuse: "
        f"{failed} of {calls:,} failed",
        f"Without load, before and after: {before['threads']} and {after['threads']} threads, "
        f"{before['file_descriptors']} and {after['file_descriptors']} file descriptors.",
        height=3.2,
    )
    memory, counts = figure.subplots(1, 2)
    samples = values["samples"]
    minutes = [(sample["second"] - samples[0]["second"]) / 60 for sample in samples]
    resident = [sample["resident"] for sample in samples]
    memory.plot(minutes, resident, color=BLUE)
    memory.set_title("Anonymous memory of the server, MB")
    memory.set_ylim(0, 1.3 * max(resident))
    slope = f"trend: {values['memory_slope_mb_per_minute']:+.1f} MB per minute"
    label(memory, slope, minutes[len(minutes) // 2], max(resident), colour=BLUE, up=10, right=0,
          ha="center")  # fmt: skip
    for name, colour in (("threads", BLUE), ("file_descriptors", ORANGE)):
        found = [sample[name] for sample in samples]
        counts.plot(minutes, found, color=colour)
        label(counts, name.replace("_", " "), minutes[len(minutes) // 2], max(found), colour=colour,
              up=9, right=0, ha="center")  # fmt: skip
    counts.set_title("Threads and file descriptors")
    counts.set_ylim(0, 1.3 * max(sample["threads"] for sample in samples))
    for axes in (memory, counts):
        axes.set_xlabel("minutes under load")
        frame(axes)
    return figure
