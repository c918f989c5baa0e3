"""Verifies an exported SavedModel in a new process: `python -m seq2sum_training.export.reload DIR`.

Objects in the memory of the exporting process could hide something missing on disk. The new
process loads the version, replays every warm-up record, asks the golden questions and prints the
answers and statuses as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from seq2sum_training.errors import UserError

TIMEOUT_SECONDS = 300


def answers_of(version_dir: Path) -> dict[str, Any]:
    """Returns a version's answers to its golden questions, from a new process.

    Returns:
        `answers`, in the order of the golden questions, and `refused`, a dict from invalid
        questions to their status.

    Raises:
        UserError: The version cannot be loaded, or the process timed out.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "seq2sum_training.export.reload", str(version_dir)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"the exported version did not answer within {TIMEOUT_SECONDS} s; nothing was published"
        ) from error
    if done.returncode != 0:
        last = next(reversed(done.stderr.strip().splitlines()), "no message")
        raise UserError(f"the exported version cannot be loaded: {last}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main(version_dir: Path) -> None:
    """Loads a version, replays its warm-up records and prints its answers as JSON."""
    import tensorflow as tf
    from seq2sum.addition import contract
    from tensorflow_serving.apis import prediction_log_pb2

    from seq2sum_training.export import golden, warmup

    extra = version_dir / "assets.extra"
    signatures = tf.saved_model.load(str(version_dir)).signatures
    for record in tf.data.TFRecordDataset(str(extra / warmup.FILE_NAME)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {name: tf.constant(tf.make_ndarray(t)) for name, t in request.inputs.items()}
        signatures[request.model_spec.signature_name](**inputs)

    def ask(questions: list[str]) -> Any:
        return signatures[contract.DEFAULT.name](questions=tf.constant(questions))

    questions = json.loads((extra / golden.FILE_NAME).read_text())
    answers = ask(questions["questions"])[contract.ANSWERS.name].numpy()
    statuses = ask(list(questions["refused"]))[contract.STATUS.name].numpy().tolist()
    result = {
        "answers": [text.decode("ascii", "replace") for text in answers],
        "refused": dict(zip(questions["refused"], statuses, strict=True)),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
