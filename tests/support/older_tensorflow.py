"""Loads a version with the installed TensorFlow and sends it the golden requests.

Needs no package of this project, so that an old TensorFlow can run it:

    python3.11 -m venv older && older/bin/pip install tensorflow-cpu==2.15.1
    older/bin/python tests/support/older_tensorflow.py models/seq2sum/1 tests/operators.txt
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import tensorflow as tf
from tensorflow.python.framework import op_def_registry


def main(version: Path, operators: Path) -> int:
    unknown = [name for name in operators.read_text().split() if not op_def_registry.get(name)]
    print(f"TensorFlow {tf.__version__}: unknown operators: {unknown}")
    lines = (version / "assets.extra" / "golden.jsonl").read_text().splitlines()
    requests = [json.loads(line) for line in lines]
    questions = tf.constant([request["inputs"]["questions"][0] for request in requests])
    signatures = tf.saved_model.load(str(version)).signatures
    outputs = signatures["serving_default"](questions=questions)
    rows = zip(requests, outputs["answers"].numpy(), outputs["status"].numpy(), strict=True)
    wrong = sum(
        [answer.decode()] != request["expect"]["answers"]
        or [status] != request["expect"].get("status", [0])
        for request, answer, status in rows
    )
    print(f"asked {len(requests)}, wrong: {wrong}")
    for name in ("probabilities", "one_hot"):
        signatures[name](questions=questions)
    return int(bool(unknown or wrong))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
