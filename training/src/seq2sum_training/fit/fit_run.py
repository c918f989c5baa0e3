"""Fits a run: the training loop in a run folder, with its history, checkpoints and progress.

The history is written before the checkpoint that follows it. After a kill, rows later than the
checkpoint are removed and written again.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from seq2sum_training import tf_import
from seq2sum_training.data.batches import batches_of
from seq2sum_training.errors import Diverged, Interrupted, UserError
from seq2sum_training.fit import checkpoint, history
from seq2sum_training.fit.history import Events, HistoryRow
from seq2sum_training.fit.schedule import stages
from seq2sum_training.progress import Show, progress_bars
from seq2sum_training.run import EVENTS, HISTORY, METADATA, Run
from seq2sum_training.run_metadata import provenance


def fit(run: Run, *, checkpoint_every: float) -> dict[str, Any]:
    """Trains the run to its end, from its checkpoint or from the first step.

    Args:
        run: A run that has not finished.
        checkpoint_every: Minimum number of seconds between two checkpoints.

    Returns:
        The cost of the run and the check of the saved weights, as stored in `run.json`.

    Raises:
        UserError: The checkpoint is unusable, training diverged, or the disk is full.
        Interrupted: Ctrl-C or SIGTERM; the last checkpoint is kept.
    """
    with run.locked():
        return _fit(run, checkpoint_every)


def _fit(run: Run, checkpoint_every: float) -> dict[str, Any]:
    batches = batches_of(run.recipe)
    state = checkpoint.load(run.path, run.recipe)
    tf_import.import_tensorflow()
    from seq2sum_training.fit.trainer import Trainer
    from seq2sum_training.fit.training_loop import TrainingLoop

    versions = provenance()
    if state is None:
        run.write_json(METADATA, versions)
    else:
        _record_changes(run, versions)
    loop = TrainingLoop(run.recipe, batches, Trainer(run.recipe))
    if state is not None:
        try:
            loop.restore(state)
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(
                f"{run.path / checkpoint.FILE_NAME} does not fit this network ({error}): "
                f"delete it to restart the run"
            ) from error
    try:
        with progress_bars() as show:
            _train(run, loop, show, checkpoint_every)
        results = {
            "steps": loop.step,
            "wall_seconds": round(loop.wall_seconds, 1),
            "cpu_seconds": round(loop.cpu_seconds, 1),
            "parameters": loop.model.count_params(),
            "check": loop.check.summary() if loop.check else None,
            "recipe": run.recipe_digest(),
        }
        run.write_json(METADATA, run.read_json(METADATA) | results)
        run.save_model(loop.model)  # last, because it marks a finished run
    except Diverged:
        raise
    except KeyboardInterrupt:
        raise Interrupted(_with_advice("interrupted", run.path)) from None
    except UserError as error:
        raise UserError(_with_advice(str(error), run.path)) from error
    (run.path / checkpoint.FILE_NAME).unlink(missing_ok=True)
    return results


def _train(run: Run, loop: Any, show: Show, checkpoint_every: float) -> None:
    """Runs the loop, and writes its history and checkpoints."""
    rows = history.read(run.path / HISTORY, last_step=loop.step)
    history.write(run.path / HISTORY, rows)
    events = Events(run.path / EVENTS, rows)
    saved = time.monotonic()
    for event in loop.run():
        if isinstance(event, HistoryRow):
            history.append(run.path / HISTORY, event)
            events.add(event)
            _show_block(run, event, show)
            if time.monotonic() - saved >= checkpoint_every:
                checkpoint.save(run.path, run.recipe, loop.state())
                saved = time.monotonic()
        else:
            remark = f"{event.failed:,} hard, {event.wrong:,} wrong"
            show(f"check at step {loop.step:,}", event.asked, event.of, "questions", remark)
    events.close()


def _show_block(run: Run, row: HistoryRow, show: Show) -> None:
    stage = next(stage for stage in stages(run.recipe) if stage.name == row.stage)
    remark = (
        f"loss {row.loss:.4f}  probe exact {row.exact:.1%}  "
        f"{row.questions_per_second:,.0f} questions/s"
    )
    show(stage.name, row.step - stage.start, stage.steps, "steps", remark)


def _with_advice(text: str, path: Path) -> str:
    return f"{text}; continue with: seq2sum-train resume {path}"


def _record_changes(run: Run, versions: dict[str, str]) -> None:
    """Stores and reports versions that differ from the start of the run."""
    before = run.read_json(METADATA)
    changed = {name: value for name, value in versions.items() if before.get(name) != value}
    if changed:
        resumed_with = [*before.get("resumed_with", []), changed]
        run.write_json(METADATA, before | {"resumed_with": resumed_with})
        changes = ", ".join(f"{name} {before.get(name)} to {new}" for name, new in changed.items())
        print(
            f"seq2sum-train: warning: changed since this run started: {changes}; the final weights "
            f"may differ from those of an uninterrupted run",
            file=sys.stderr,
        )
