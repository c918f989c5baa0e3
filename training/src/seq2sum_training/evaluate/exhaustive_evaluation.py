"""Evaluating: a run's figures, its wrong answers and its report, into its folder."""

from __future__ import annotations

import time
from typing import Any

from seq2sum_training import tf_import
from seq2sum_training.data.batches import batches_of
from seq2sum_training.evaluate import evaluation, report
from seq2sum_training.progress import board
from seq2sum_training.recipe import ENUMERATED_DIGITS
from seq2sum_training.run import EVALUATION, Run


def evaluate(run: Run) -> dict[str, Any]:
    """Asks a finished run, stores what came of it, and gives back the figures."""
    with run.locked():
        return _evaluate(run)


def _evaluate(run: Run) -> dict[str, Any]:
    tf_import.import_tensorflow()
    from seq2sum_training.graph.serving import ServingModel

    began = time.perf_counter()
    digits, trained = run.recipe.digits, batches_of(run.recipe).trained
    serving = ServingModel(run.recipe, run.model())
    with board() as show:

        def ask(pairs: Any, title: str) -> evaluation.Score:
            def tell(done: int) -> None:
                show(title, done, pairs.shape[1], "questions", "")

            return evaluation.evaluate(
                serving.answers, pairs, digits=digits, trained=trained, tell=tell
            )

        known = digits <= ENUMERATED_DIGITS
        title = "asking every question" if known else "asking questions never trained on"
        score = ask(evaluation.to_ask(digits, trained), title)
        figures, mistakes = score.summary(), score.mistakes()
        figures["by_chain"] = []
        if not known:
            pairs, families = evaluation.chains_to_ask(digits, trained)
            chains = ask(pairs, "asking carry chains")
            figures["by_chain"] = evaluation.by_chain(chains, families)
            mistakes += chains.mistakes()
    figures |= {
        "seconds": round(time.perf_counter() - began, 1),
        "command": f"seq2sum-train evaluate {run.name}",
        "model": run.model_digest(),
    }
    run.write_wrong(("question", "answer", "true_sum", "confidence"), mistakes)
    run.write(EVALUATION, figures)
    report.write(run)
    return figures
