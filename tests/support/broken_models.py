"""Version folders that are bad, each in a way of its own, made from a good one.

What can be made by copying files is made so. The others are written by TensorFlow, all of them in
one process of their own, which runs this module.
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

SECONDS = 0.1
"""That a call to the slow version takes longer: about a hundred times as long as one of a small
model."""
WARM_UP = "tf_serving_warmup_requests"


def other_contract(good: Path, folder: Path) -> Path:
    """It says that it keeps to another contract."""
    shutil.copytree(good, folder)
    file = folder / "assets.extra" / contract.FILE_NAME
    told = json.loads(file.read_bytes()) | {"contract": contract.CONTRACT_VERSION + 1}
    file.write_text(json.dumps(told))
    return folder


def truncated(good: Path, folder: Path) -> Path:
    """It cannot be loaded: it was copied in part."""
    shutil.copytree(good, folder)
    model = folder / "saved_model.pb"
    os.truncate(model, model.stat().st_size // 2)
    return folder


def other_model(good: Path, folder: Path) -> Path:
    """It serves, and is no addition: the names of its inputs are others."""
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


def folders(good: Path, folder: Path) -> dict[str, Path]:
    """All of them, by name, below a folder."""
    subprocess.run([sys.executable, __file__, good, folder], check=True, timeout=200)
    made = {name: folder / name for name in WRITTEN}
    for make in (other_contract, truncated):
        made[make.__name__] = make(good, folder / make.__name__)
    return made


def slow(signatures):
    """Right answers, each call a while later; it waits in the graph, so that nobody else does."""
    return {name: changed(signature, later) for name, signature in signatures.items()}


def wrong(signatures):
    """Each sum is one too many."""
    default = contract.DEFAULT.name
    return {**signatures, default: changed(signatures[default], one_more)}


def fewer_signatures(signatures):
    """It cannot give probabilities, and its contract still promises that."""
    return {name: one for name, one in signatures.items() if name != contract.DETAILED.name}


WRITTEN: dict[str, Callable] = {made.__name__: made for made in (slow, wrong, fewer_signatures)}
"""Those that TensorFlow writes: from signatures to signatures."""


def changed(signature, change):
    """A signature whose outputs are changed."""
    import tensorflow as tf

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, name=contract.QUESTIONS.name)],
        autograph=False,
    )
    def call(questions):
        return change(signature(questions=questions))

    return call.get_concrete_function()


def later(outputs):
    import tensorflow as tf

    one = tf.data.Dataset.from_tensors(0)
    sleeping = tf.raw_ops.SleepDataset(
        input_dataset=tf.data.experimental.to_variant(one),
        # It is asked twice: for the element, and whether there is another.
        sleep_microseconds=tf.constant(int(1e6 * SECONDS / 2), tf.int64),
        output_types=[tf.int32],
        output_shapes=[[]],
    )
    [waited] = tf.raw_ops.DatasetToSingleElement(
        dataset=sleeping, output_types=[tf.int32], output_shapes=[[]]
    )
    with tf.control_dependencies([waited]):
        return {name: tf.identity(tensor) for name, tensor in outputs.items()}


def one_more(outputs):
    import tensorflow as tf

    answers = outputs[contract.ANSWERS.name]
    good = outputs[contract.STATUS.name] == contract.Status.OK
    sums = tf.strings.to_number(tf.where(good, answers, "0"), tf.int64)
    return {**outputs, contract.ANSWERS.name: tf.where(good, tf.strings.as_string(sums + 1), "")}


def main(good: Path, folder: Path) -> None:
    """Writes those that TensorFlow has to write."""
    import tensorflow as tf

    model = tf.saved_model.load(str(good))
    for name, change in WRITTEN.items():
        signatures = change(dict(model.signatures))
        tf.saved_model.save(model, str(folder / name), signatures=signatures)
        shutil.copytree(good / "assets.extra", folder / name / "assets.extra")
        # It asks for all signatures; and slowly, where that is what is wrong.
        (folder / name / "assets.extra" / WARM_UP).unlink(missing_ok=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
