"""Export: from a finished run to a published version, proven on the way.

Nothing appears under a version's number before the graph was found equal to the Keras model,
its golden answers right, and the files written, loaded again in a fresh process and asked there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from seq2sum.addition import contract

from seq2sum_training.atomic_file import told_by_tensorflow
from seq2sum_training.errors import UserError
from seq2sum_training.evaluate import evaluation, report
from seq2sum_training.export import golden, reload, warmup
from seq2sum_training.export.versions import publishing
from seq2sum_training.graph.serving import ServingModel
from seq2sum_training.run import REPORT, Run
from seq2sum_training.run_metadata import provenance

MODEL_CARD = "model_card.md"
TOLERANCE = 1e-5
"""Largest difference of a probability between the Keras model and the serving graph."""


def export(
    run: Run, base: Path, *, version: int | None, force: bool, tell: Callable[[str], None]
) -> Path:
    """Publishes the run's model as `<base>/<version>`.

    Args:
        run: A finished and evaluated run.
        base: The model's base path, the folder that a server watches.
        version: Its number; None for the next free one.
        force: Whether to publish a network with wrong golden answers; the version then says so.
        tell: Called with a line about each station.

    Returns:
        The version directory.

    Raises:
        UserError: The version exists, cannot be written, is not what was trained, or has wrong
            golden answers.
    """
    if not (run.path / REPORT).is_file():
        report.write(run)
    tell(f"building the serving graph of {run.path}")
    model = run.model()
    serving = ServingModel(run.recipe, model)
    questions = golden.golden(run.recipe.digits)
    _check_equal(model, serving, questions["questions"])
    asked = serving.ask(questions["questions"])[contract.ANSWERS.name]
    answers = [text.decode("ascii", "replace") for text in asked]
    results = golden.results(questions, answers)
    if not results.all_right and not force:
        raise UserError(f"{results}; nothing was published: --force publishes it all the same")
    facts = report.facts(run)
    figures = evaluation.published(facts["figures"], digits=run.recipe.digits)

    with publishing(base, version) as (staging, number), told_by_tensorflow(base):
        tell(f"writing version {number}")
        serving.save(str(staging))
        extra = staging / "assets.extra"
        extra.mkdir()
        warmup.write(extra / warmup.FILE_NAME)
        described = serving.describe() | {
            "run": run.name,
            **provenance(),
            "evaluation": figures,
            "golden": {"questions": results.questions, "right": results.right},
            "forced": not results.all_right,
        }
        (extra / contract.FILE_NAME).write_text(json.dumps(described, indent=2) + "\n")
        card = report.template("model_card.md.j2")
        page = card.render(**facts, version=number, golden=results)
        (extra / MODEL_CARD).write_text(page)
        shutil.copyfile(run.path / REPORT, extra / REPORT)
        (extra / golden.FILE_NAME).write_text(json.dumps(questions, indent=1) + "\n")

        tell("loading it again in a fresh process and asking the golden questions")
        reloaded = reload.answers_of(staging)
        if reloaded["answers"] != answers or reloaded["refused"] != questions["refused"]:
            raise UserError(
                "the version on disk answers otherwise than the model in memory; "
                "nothing was published"
            )
    tell(
        f"published {base / str(number)}: {results}; errors {figures['errors']:,} of "
        f"{figures['questions']:,} in the evaluation"
    )
    return base / str(number)


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
