"""Loads a version with the installed TensorFlow and asks it the golden questions.

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
    golden = json.loads((version / "assets.extra" / "golden.json").read_text())
    wrong = 0
    signatures = tf.saved_model.load(str(version)).signatures
    for refused in (False, True):
        questions = list(golden["refused"] if refused else golden["questions"])
        outputs = signatures["serving_default"](questions=tf.constant(questions))
        if refused:
            wrong += sum(outputs["status"].numpy() != list(golden["refused"].values()))
        else:
            answers = [answer.decode() for answer in outputs["answers"].numpy()]
            wrong += sum(a != b for a, b in zip(answers, golden["answers"], strict=True))
        print(f"asked {len(questions)}, wrong so far: {wrong}")
        for name in ("probabilities", "one_hot"):
            signatures[name](questions=tf.constant(questions))
    return int(bool(unknown or wrong))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
