"""The history of a run: a row per block of steps, appended to history.csv during training.

The event files for TensorBoard are written from the same rows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tensorboard.summary import Writer

from seq2sum_training.atomic_file import atomic_write, tensorflow_write_errors, write_errors


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """Metrics of a run after a block of steps."""

    step: int
    """Steps completed."""
    stage: str
    """Name of the stage, see `schedule.Stage`."""
    loss: float
    """Mean cross-entropy per character over the block, nats."""
    exact: float
    """Exact match of the averaged weights on the probe, 1,024 training questions; 0 to 1."""
    learning_rate: float
    """Learning rate of the block's last step."""
    questions_per_second: float
    """Training questions per second of wall time in this block."""
    cpu_seconds: float
    """CPU time of the run so far, including compilation."""


COLUMNS = [field.name for field in fields(HistoryRow)]
METRICS = COLUMNS[2:]


def append(path: Path, row: HistoryRow) -> None:
    """Appends a row to a CSV file; a new file gets a header first."""
    with write_errors(path):
        is_new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if is_new:
                writer.writeheader()
            writer.writerow(asdict(row))


def read(path: Path, *, last_step: int | None = None) -> list[HistoryRow]:
    """Reads the rows up to `last_step` or to a damaged row; none if the file does not exist."""
    if not path.is_file():
        return []
    rows = []
    # A killed process may have written half a row.
    with path.open(newline="") as file, suppress(TypeError, ValueError, KeyError, csv.Error):
        for cells in csv.DictReader(file):
            metrics = (float(cells[name]) for name in METRICS)
            row = HistoryRow(int(cells["step"]), cells["stage"], *metrics)
            if last_step is not None and row.step > last_step:
                break
            rows.append(row)
    return rows


def write(path: Path, rows: Iterable[HistoryRow]) -> None:
    """Replaces the file atomically by these rows."""
    with atomic_write(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(map(asdict, rows))


class Events:
    """Event files for TensorBoard: `tensorboard --logdir runs`."""

    def __init__(self, folder: Path, rows: Iterable[HistoryRow]) -> None:
        """Replaces existing event files, so that no step occurs twice after a resume."""
        with tensorflow_write_errors(folder):
            folder.mkdir(exist_ok=True)
            for old in folder.glob("events.out.tfevents.*"):
                old.unlink()
            self._writer = Writer(str(folder))
        self._folder = folder
        for row in rows:
            self.add(row)

    def add(self, row: HistoryRow) -> None:
        """Writes the metrics of a row."""
        with tensorflow_write_errors(self._folder):
            for name in METRICS:
                self._writer.add_scalar(f"training/{name}", getattr(row, name), row.step)
            self._writer.flush()

    def close(self) -> None:
        """Closes the event file."""
        with tensorflow_write_errors(self._folder):
            self._writer.close()
