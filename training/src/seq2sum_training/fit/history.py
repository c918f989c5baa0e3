"""The history of a run: a row for each block of steps, on disk as it happens.

`history.csv` is the record; the event files for TensorBoard are made from it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tensorboard.summary import Writer

from seq2sum_training.atomic_file import told, told_by_tensorflow, whole


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is after a block of steps."""

    step: int
    """Steps done."""
    stage: str
    """`fit`, or which round of polish."""
    loss: float
    """Mean cross-entropy per character over the block, nats."""
    exact: float
    """Share of the probe's questions that the averaged weights answer right, 0 to 1."""
    learning_rate: float
    """That of the block's last step."""
    questions_per_second: float
    """Training questions per second of wall time in this block."""
    cpu_seconds: float
    """CPU time spent on the run so far, compilation included."""


COLUMNS = [field.name for field in fields(Progress)]


def append(path: Path, progress: Progress) -> None:
    """Adds a row to a CSV file, and the header to a new one."""
    with told(path):
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if fresh:
                writer.writeheader()
            writer.writerow(asdict(progress))


def read(path: Path, *, last_step: int | None = None) -> list[Progress]:
    """The rows up to `last_step`; none if there is no file. A torn row ends them."""
    if not path.is_file():
        return []
    rows = []
    # Where a killed process wrote half a row, the history ends.
    with path.open(newline="") as file, suppress(TypeError, ValueError, KeyError, csv.Error):
        for row in csv.DictReader(file):
            progress = Progress(
                int(row["step"]), row["stage"], *(float(row[name]) for name in COLUMNS[2:])
            )
            if last_step is not None and progress.step > last_step:
                break
            rows.append(progress)
    return rows


def write(path: Path, rows: Iterable[Progress]) -> None:
    """Replaces the file by these rows."""
    with whole(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(map(asdict, rows))


class Events:
    """A run's curves for TensorBoard: `tensorboard --logdir runs`."""

    def __init__(self, folder: Path, rows: Iterable[Progress]) -> None:
        """Starts anew with the rows there are, so that no step is drawn twice after a resume."""
        with told_by_tensorflow(folder):
            folder.mkdir(exist_ok=True)
            for old in folder.glob("events.out.tfevents.*"):
                old.unlink()
            self._writer = Writer(str(folder))
        self._folder = folder
        for row in rows:
            self.add(row)

    def add(self, progress: Progress) -> None:
        """Adds a row's figures at its step."""
        with told_by_tensorflow(self._folder):
            for name in COLUMNS[2:]:
                self._writer.add_scalar(f"training/{name}", getattr(progress, name), progress.step)
            self._writer.flush()

    def close(self) -> None:
        """Ends the file."""
        with told_by_tensorflow(self._folder):
            self._writer.close()
