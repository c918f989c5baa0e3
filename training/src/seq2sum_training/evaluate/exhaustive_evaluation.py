"""Evaluates a run and writes the figures, the wrong answers and the report into its folder.

With up to 3 digits it asks every question; with more, random ones and carry chains (see
`scoring`).
"""

from __future__ import annotations

import time
from typing import Any

from seq2sum_training import tf_import
from seq2sum_training.data.batches import batches_of
from seq2sum_training.evaluate import report, scoring
from seq2sum_training.progress import progress_bars
from seq2sum_training.recipe import MAX_ENUMERATED_DIGITS
from seq2sum_training.run import EVALUATION, Run


def evaluate(run: Run) -> dict[str, Any]:
    """Evaluates a finished run; stores and returns the figures."""
    with run.locked():
        return _evaluate(run)


def _evaluate(run: Run) -> dict[str, Any]:
    tf_import.import_tensorflow()
    from seq2sum_training.graph.serving import ServingModel

    start = time.perf_counter()
    digits, training_mask = run.recipe.digits, batches_of(run.recipe).training_mask
    serving = ServingModel(run.recipe, run.model())
    with progress_bars() as show:

        def score(pairs: Any, title: str) -> scoring.Score:
            return scoring.score(
                serving.answers,
                pairs,
                digits=digits,
                training_mask=training_mask,
                report_progress=lambda done: show(title, done, pairs.shape[1], "questions", ""),
            )

        exhaustive = digits <= MAX_ENUMERATED_DIGITS
        title = "every question" if exhaustive else "questions never trained on"
        result = score(scoring.pairs_to_ask(digits, training_mask), title)
        figures, wrong_answers = result.summary(), result.wrong_answers()
        figures["by_chain"] = []
        if not exhaustive:
            pairs, families = scoring.chains_to_ask(digits, training_mask)
            chains = score(pairs, "carry chains")
            figures["by_chain"] = scoring.errors_by_chain(chains, families)
            wrong_answers += chains.wrong_answers()
    figures |= {
        "seconds": round(time.perf_counter() - start, 1),
        "command": f"seq2sum-train evaluate {run.name}",
        "model": run.model_digest(),
    }
    run.write_wrong_answers(("question", "answer", "true_sum", "confidence"), wrong_answers)
    run.write_json(EVALUATION, figures)
    report.write(run)
    return figures
