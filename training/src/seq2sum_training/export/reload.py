"""Verifies an exported SavedModel in a new process: `python -m seq2sum_training.export.reload DIR`.

Objects in the memory of the exporting process could hide something missing on disk. The new
process loads the version, replays every warm-up record, reads the golden requests, and prints as
JSON how the outputs differ from what they expect.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from seq2sum_training.errors import UserError

TIMEOUT_SECONDS = 300


def differences(version_dir: Path) -> list[str]:
    """Returns how a version's outputs in a new process differ from its golden requests.

    Returns:
        A text for each request; empty if its outputs are as expected.

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
    result: list[str] = json.loads(done.stdout.splitlines()[-1])
    return result


def main(version_dir: Path) -> None:
    """Loads a version, replays its warm-up records and prints the differences as JSON."""
    import tensorflow as tf
    from seq2sum.addition import contract
    from seq2sum.golden import read
    from tensorflow_serving.apis import prediction_log_pb2

    from seq2sum_training.export import golden, warmup

    extra = version_dir / "assets.extra"
    signatures = tf.saved_model.load(str(version_dir)).signatures
    for record in tf.data.TFRecordDataset(str(extra / warmup.FILE_NAME)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {name: tf.constant(tf.make_ndarray(t)) for name, t in request.inputs.items()}
        signatures[request.model_spec.signature_name](**inputs)

    def predict(questions: list[Any]) -> dict[str, Any]:
        outputs = signatures[contract.DEFAULT.name](questions=tf.constant(questions))
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    requests = read(extra / golden.FILE_NAME)
    print(json.dumps(golden.results(requests, predict).differences))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
