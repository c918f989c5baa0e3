"""Export: from a finished run to a published version, proven on the way.

Nothing appears under a version's number before the graph was found equal to the Keras model,
written, loaded again in a fresh process and asked there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from seq2sum import contract

from seq2sum_training import golden, reload, report, warmup
from seq2sum_training.errors import UserError
from seq2sum_training.provenance import provenance
from seq2sum_training.run import REPORT, Run
from seq2sum_training.serving import ServingModel
from seq2sum_training.versions import publishing
from seq2sum_training.whole import told_by_tensorflow

MODEL_CARD = "model_card.md"
TOLERANCE = 1e-5
"""Largest difference of a probability between the Keras model and the serving graph."""


def export(
    run: Run, base: Path, *, version: int | None, tell: Callable[[str], None]
) -> tuple[Path, int, int]:
    """Publishes the run's model as `<base>/<version>`.

    Args:
        run: A finished and evaluated run.
        base: The model's base path, the folder that a server watches.
        version: Its number; None for the next free one.
        tell: Called with a line about each station.

    Returns:
        The version directory, the golden questions answered right, and all golden questions.

    Raises:
        UserError: The version exists, cannot be written, or is not what was trained.
    """
    if not (run.path / REPORT).is_file():
        report.write(run)
    tell(f"building the serving graph of {run.path}")
    model = run.model()
    serving = ServingModel(run.recipe, model)
    questions = golden.golden(run.recipe.digits)
    _check_equal(model, serving, questions["questions"])

    with publishing(base, version) as (staging, number), told_by_tensorflow(base):
        tell(f"writing version {number}")
        serving.save(str(staging))
        extra = staging / "assets.extra"
        extra.mkdir()
        warmup.write(extra / warmup.FILE_NAME)
        described = serving.describe() | {"run": run.name, **provenance()}
        (extra / contract.FILE_NAME).write_text(json.dumps(described, indent=2) + "\n")
        page = report.template("model_card.md.j2").render(**report.facts(run), version=number)
        (extra / MODEL_CARD).write_text(page)
        shutil.copyfile(run.path / REPORT, extra / REPORT)
        (extra / golden.FILE_NAME).write_text(json.dumps(questions, indent=1) + "\n")

        tell("loading it again in a fresh process and asking the golden questions")
        right = _check_reloaded(reload.answers_of(staging), serving, questions)
    return base / str(number), right, len(questions["questions"])


def _check_equal(model: Any, serving: ServingModel, questions: list[str]) -> None:
    """Holds the serving graph against the Keras model it was made from."""
    one_hot = serving.ask(questions, signature=contract.PREPROCESSED.name)[contract.ONE_HOT.name]
    expected = model(tf.constant(one_hot)).numpy()
    if serving.recipe.answers == "reversed":
        expected = expected[:, ::-1]
    detail = serving.ask(questions, signature=contract.DETAILED.name)
    found = detail[contract.PROBABILITIES.name]
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE:  # NaN fails too
        raise UserError(
            f"the serving graph differs from the Keras model by {difference:.1e} "
            f"(allowed: {TOLERANCE:.0e}); nothing was published"
        )


def _check_reloaded(
    reloaded: dict[str, Any], serving: ServingModel, questions: dict[str, Any]
) -> int:
    """Holds what is on disk against what was trained; gives back how many answers are true."""
    answered = serving.ask(questions["questions"])[contract.ANSWERS.name]
    in_memory = [text.decode("ascii", "replace") for text in answered]
    if reloaded["answers"] != in_memory or reloaded["refused"] != questions["refused"]:
        raise UserError(
            "the version on disk answers otherwise than the model in memory; nothing was published"
        )
    return sum(a == b for a, b in zip(reloaded["answers"], questions["answers"], strict=True))
