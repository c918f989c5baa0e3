"""Asks an exported SavedModel in a new process: `python -m seq2sum_training.export.reload DIR`.

What is in memory while exporting could hide what is missing on disk. Here nothing is in
memory: the version is loaded as any user would load it, every warm-up record is replayed, and
the golden questions go through it. The answers are printed as JSON, statuses included.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from seq2sum_training.errors import UserError

LONGEST_SECONDS = 300


def answers_of(version_dir: Path) -> dict[str, Any]:
    """The golden answers of a version on disk, from a fresh process.

    Returns:
        `answers` (texts, in the order of the golden questions) and `refused` (the status of
        each question that is to be refused).
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "seq2sum_training.export.reload", str(version_dir)],
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"the exported version did not answer within {LONGEST_SECONDS} s; nothing was published"
        ) from error
    if done.returncode != 0:
        last = next(reversed(done.stderr.strip().splitlines()), "no message")
        raise UserError(f"the exported version cannot be loaded again: {last}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main(version_dir: Path) -> None:
    """Loads, warms up, asks, prints."""
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

    known = json.loads((extra / golden.FILE_NAME).read_text())
    answered = ask(known["questions"])[contract.ANSWERS.name].numpy()
    refused = ask(list(known["refused"]))[contract.STATUS.name].numpy().tolist()
    result = {
        "answers": [text.decode("ascii", "replace") for text in answered],
        "refused": dict(zip(known["refused"], refused, strict=True)),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
