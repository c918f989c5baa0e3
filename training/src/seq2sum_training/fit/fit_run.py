"""Fitting: a course on its way, with its folder and what is shown of it.

The order of writing makes a run resumable: history first, then the checkpoint that counts on
it. After a kill, rows beyond the checkpoint are cut away and made again.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from seq2sum_training import tf_import
from seq2sum_training.data.batches import batches_of
from seq2sum_training.errors import Astray, Interrupted, UserError
from seq2sum_training.fit import checkpoint, history
from seq2sum_training.fit.history import Events, Progress
from seq2sum_training.fit.schedule import stages
from seq2sum_training.progress import Show, board
from seq2sum_training.run import ABOUT, EVENTS, HISTORY, Run
from seq2sum_training.run_metadata import provenance


def fit(run: Run, *, checkpoint_every: float) -> dict[str, Any]:
    """Trains the run from its checkpoint, or from the beginning, to its end.

    Args:
        run: A run that has not finished.
        checkpoint_every: Least seconds between two checkpoints.

    Returns:
        What it took, and the check of the weights that it keeps: what `run.json` then holds.

    Raises:
        UserError: The checkpoint is of no use, training went astray, or the disk is full.
        Interrupted: Ctrl-C; the last checkpoint stays.
    """
    with run.locked():
        return _fit(run, checkpoint_every)


def _fit(run: Run, checkpoint_every: float) -> dict[str, Any]:
    batches = batches_of(run.recipe)
    state = checkpoint.load(run.path, run.recipe)
    tf_import.import_tensorflow()
    from seq2sum_training.fit.trainer import Trainer
    from seq2sum_training.fit.training_loop import Course

    about = provenance()
    if state is None:
        run.write(ABOUT, about)
    else:
        _note_changes(run, about)
    course = Course(run.recipe, batches, Trainer(run.recipe))
    if state is not None:
        try:
            course.restore(state)
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(
                f"{run.path / checkpoint.FILE_NAME} does not fit this network ({error}): "
                f"delete it to begin this run anew"
            ) from error
    try:
        with board() as show:
            _follow(run, course, show, checkpoint_every)
        spent = {
            "steps": course.step,
            "wall_seconds": round(course.wall_seconds, 1),
            "cpu_seconds": round(course.cpu_seconds, 1),
            "parameters": course.model.count_params(),
            "check": course.check.summary() if course.check else None,
            "recipe": run.recipe_digest(),
        }
        run.write(ABOUT, run.read(ABOUT) | spent)
        run.save_model(course.model)  # last: where it is, all the rest is
    except Astray:
        raise
    except KeyboardInterrupt:
        raise Interrupted(_resumable("interrupted", run.path)) from None
    except UserError as error:
        raise UserError(_resumable(str(error), run.path)) from error
    (run.path / checkpoint.FILE_NAME).unlink(missing_ok=True)
    return spent


def _follow(run: Run, course: Any, show: Show, checkpoint_every: float) -> None:
    """Lets the course run, keeping its history and checkpoints."""
    rows = history.read(run.path / HISTORY, last_step=course.step)
    history.write(run.path / HISTORY, rows)
    events = Events(run.path / EVENTS, rows)
    saved = time.monotonic()
    for event in course.run():
        if isinstance(event, Progress):
            history.append(run.path / HISTORY, event)
            events.add(event)
            _show_block(run, event, show)
            if time.monotonic() - saved >= checkpoint_every:
                checkpoint.save(run.path, run.recipe, course.state())
                saved = time.monotonic()
        else:
            remark = f"{event.failed:,} hard, {event.wrong:,} wrong"
            show(f"check at step {course.step:,}", event.asked, event.of, "questions", remark)
    events.close()


def _show_block(run: Run, block: Progress, show: Show) -> None:
    stage = next(stage for stage in stages(run.recipe) if stage.name == block.stage)
    remark = (
        f"loss {block.loss:.4f}  probe exact {block.exact:.1%}  "
        f"{block.questions_per_second:,.0f} questions/s"
    )
    show(stage.name, block.step - stage.start, stage.steps, "steps", remark)


def _resumable(text: str, path: Path) -> str:
    return f"{text}; go on with: seq2sum-train resume {path}"


def _note_changes(run: Run, now: dict[str, str]) -> None:
    """Says and keeps what is not as it was when the run began: its end may be another by it."""
    before = run.read(ABOUT)
    changed = {name: value for name, value in now.items() if before.get(name) != value}
    if changed:
        run.write(ABOUT, before | {"resumed_with": [*before.get("resumed_with", []), changed]})
        told = ", ".join(f"{name} {before.get(name)} is now {new}" for name, new in changed.items())
        tf_import.note(f"since this run began: {told}; its weights may differ by it")
