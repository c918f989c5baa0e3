"""Publishes a finished run as a version.

The version directory appears only after the serving graph equals the Keras model, its golden
answers are right, and the written files give the same answers in a new process.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from seq2sum.addition import contract

from seq2sum_training.atomic_file import tensorflow_write_errors
from seq2sum_training.errors import UserError
from seq2sum_training.evaluate import report
from seq2sum_training.export import golden, reload, warmup
from seq2sum_training.export.versions import staged_version
from seq2sum_training.graph.serving import ServingModel
from seq2sum_training.recipe import MAX_ENUMERATED_DIGITS
from seq2sum_training.run import REPORT, Run
from seq2sum_training.run_metadata import provenance

MODEL_CARD = "model_card.md"
TOLERANCE = 1e-5
"""Largest difference of a probability between the Keras model and the serving graph."""


def export(
    run: Run, base: Path, *, version: int | None, force: bool, log: Callable[[str], None]
) -> Path:
    """Publishes the run's model as `<base>/<version>`.

    Args:
        run: A finished and evaluated run.
        base: The model's base path, the folder that a server watches.
        version: Version number; None for the next free one.
        force: Whether to publish a network with wrong golden answers, which the version records.
        log: Called with a line about each step.

    Returns:
        The version directory.

    Raises:
        UserError: The version exists, cannot be written, differs from the trained model, or has
            wrong golden answers.
    """
    if not (run.path / REPORT).is_file():
        report.write(run)
    log(f"building the serving graph of {run.path}")
    model = run.model()
    serving = ServingModel(run.recipe, model)
    requests = golden.generate(run.recipe.digits)
    answered = [each for each in requests if golden.STATUS not in each.expect]
    _check_equal(model, serving, [each.inputs[golden.QUESTIONS][0] for each in answered])
    results = golden.results(requests, serving.ask)
    if not results.all_right and not force:
        raise UserError(f"{results}; nothing was published (--force publishes it anyway)")
    values = report.run_values(run)
    figures = _contract_figures(values["figures"], digits=run.recipe.digits)

    with staged_version(base, version) as (staging, number), tensorflow_write_errors(base):
        log(f"writing version {number}")
        serving.save(str(staging))
        extra = staging / "assets.extra"
        extra.mkdir()
        warmup.write(extra / warmup.FILE_NAME)
        described = serving.describe() | {
            "run": run.name,
            **provenance(),
            "evaluation": figures,
            "golden": {"questions": results.requests, "right": results.right},
            "forced": not results.all_right,
        }
        (extra / contract.FILE_NAME).write_text(json.dumps(described, indent=2) + "\n")
        card = report.template("model_card.md.j2")
        page = card.render(**values, version=number, golden=results)
        (extra / MODEL_CARD).write_text(page)
        shutil.copyfile(run.path / REPORT, extra / REPORT)
        golden.write(extra / golden.FILE_NAME, requests)

        log("verifying the written version with the golden requests in a new process")
        if reload.differences(staging) != list(results.differences):
            raise UserError(
                "the version on disk and the model in memory give different answers; "
                "nothing was published"
            )
    log(
        f"published {base / str(number)}: {results}; errors {figures['errors']:,} of "
        f"{figures['questions']:,} in the evaluation"
    )
    return base / str(number)


def _contract_figures(figures: Mapping[str, Any], *, digits: int) -> dict[str, Any]:
    """Returns the figures of the evaluation that contract.json has."""
    names = ("questions", "errors", "never_trained_questions", "never_trained_errors")
    exhaustive = digits <= MAX_ENUMERATED_DIGITS
    return {"exhaustive": exhaustive, **{name: figures[name] for name in names}}


def _check_equal(model: Any, serving: ServingModel, questions: list[str]) -> None:
    """Compares probabilities of the serving graph with those of the Keras model."""
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
            f"(at most {TOLERANCE:.0e} allowed); nothing was published"
        )
