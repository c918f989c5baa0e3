"""Versions with a fault, each made from a good one.

Some are copies with changed files. TensorFlow writes the others, all in a separate process, which
runs this module.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from seq2sum.addition import contract

SECONDS = 0.2
"""Delay of each call of the slow version: many times the latency of a small model."""
WARM_UP = "tf_serving_warmup_requests"


def other_contract(good: Path, folder: Path) -> Path:
    """Makes a version whose contract file breaks a rule of the stable version's."""
    shutil.copytree(good, folder)
    file = folder / "assets.extra" / contract.FILE_NAME
    changed = json.loads(file.read_bytes())
    changed["extra"]["alphabet"] = "0123456789+ "
    file.write_text(json.dumps(changed))
    return folder


def truncated(good: Path, folder: Path) -> Path:
    """Makes a version that cannot be loaded because its file is incomplete."""
    shutil.copytree(good, folder)
    model = folder / "saved_model.pb"
    os.truncate(model, model.stat().st_size // 2)
    return folder


def other_model(good: Path, folder: Path) -> Path:
    """Makes a version that serves, but whose inputs have other names than in the contract."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    shutil.copytree(good, folder, ignore=shutil.ignore_patterns("assets.extra"))
    file = folder / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    for graph in model.meta_graphs:
        for signature in graph.signature_def.values():
            for name in list(signature.inputs):
                signature.inputs[f"other_{name}"].CopyFrom(signature.inputs.pop(name))
    file.write_bytes(model.SerializeToString())
    return folder


def make_all(good: Path, folder: Path) -> dict[str, Path]:
    """Makes all versions with a fault below a folder; returns their paths by name."""
    subprocess.run([sys.executable, __file__, good, folder], check=True, timeout=200)
    paths = {name: folder / name for name in EXPORTED}
    for make in (other_contract, truncated):
        paths[make.__name__] = make(good, folder / make.__name__)
    return paths


def slow(signatures):
    """Delays each call by an operation in the graph, which does not hold up other calls."""
    return {name: with_outputs(signature, delay) for name, signature in signatures.items()}


def wrong(signatures):
    """Adds one to each sum."""
    default = contract.DEFAULT.name
    return {**signatures, default: with_outputs(signatures[default], add_one)}


def fewer_signatures(signatures):
    """Drops the signature for probabilities, which the contract requires."""
    return {name: kept for name, kept in signatures.items() if name != contract.DETAILED.name}


EXPORTED: dict[str, Callable] = {each.__name__: each for each in (slow, wrong, fewer_signatures)}
"""Functions that change the signatures of the versions that TensorFlow writes, by version name."""


def with_outputs(signature, change):
    """Returns a signature whose outputs are changed."""
    import tensorflow as tf

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, name=contract.QUESTIONS.name)],
        autograph=False,
    )
    def call(questions):
        return change(signature(questions=questions))

    return call.get_concrete_function()


def delay(outputs):
    import tensorflow as tf

    single = tf.data.Dataset.from_tensors(0)
    sleeping = tf.raw_ops.SleepDataset(
        input_dataset=tf.data.experimental.to_variant(single),
        # The operation sleeps twice: for the element and for the end of the data set.
        sleep_microseconds=tf.constant(int(1e6 * SECONDS / 2), tf.int64),
        output_types=[tf.int32],
        output_shapes=[[]],
    )
    [slept] = tf.raw_ops.DatasetToSingleElement(
        dataset=sleeping, output_types=[tf.int32], output_shapes=[[]]
    )
    with tf.control_dependencies([slept]):
        return {name: tf.identity(tensor) for name, tensor in outputs.items()}


def add_one(outputs):
    import tensorflow as tf

    answers = outputs[contract.ANSWERS.name]
    good = outputs[contract.STATUS.name] == contract.Status.OK
    sums = tf.strings.to_number(tf.where(good, answers, "0"), tf.int64)
    return {**outputs, contract.ANSWERS.name: tf.where(good, tf.strings.as_string(sums + 1), "")}


def main(good: Path, folder: Path) -> None:
    """Exports the versions that TensorFlow has to write."""
    import tensorflow as tf

    model = tf.saved_model.load(str(good))
    for name, change in EXPORTED.items():
        signatures = change(dict(model.signatures))
        tf.saved_model.save(model, str(folder / name), signatures=signatures)
        shutil.copytree(good / "assets.extra", folder / name / "assets.extra")
        # Warm-up calls all signatures, some of which are missing or slow here.
        (folder / name / "assets.extra" / WARM_UP).unlink(missing_ok=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
