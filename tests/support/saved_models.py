"""SavedModels for tests: one exported by TensorFlow, and those of the recorded cases."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

FIXTURE = Path(__file__).parents[1] / "conformance" / "fixture"
"""Base path of the model in most recorded cases."""
FIXTURE2 = FIXTURE.with_name("fixture2") / "1"
"""The version of the second recorded model, which has many small and unusual signatures."""


class Exported(tf.Module):
    """A module with a variable, a table from an asset file, and constants."""

    def __init__(self, words):
        super().__init__()
        self.factor = tf.Variable(3.0)
        self.words = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                str(words),
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            -1,
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")], autograph=False)
    def multiply(self, x):
        return {"y": self.factor * x, "same": tf.identity(x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="word")], autograph=False)
    def look_up(self, word):
        return {"line": self.words.lookup(word)}


def export(path):
    """Exports `Exported` to a directory."""
    words = path.parent / "words.txt"
    words.parent.mkdir(parents=True, exist_ok=True)
    words.write_text("zero\none\ntwo\n")
    model = Exported(words)
    signatures = {"multiply": model.multiply, "look_up": model.look_up}
    tf.saved_model.save(model, str(path), signatures=signatures)
    words.unlink()
    return path


def edit(path, change):
    """Applies a change to the SavedModel message in a directory."""
    file = path / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(message)
    file.write_bytes(message.SerializeToString())


def run_signature(model, name, output, array, **options):
    """Runs a signature with a single input; returns an output as a list or scalar."""
    signature = model.signatures[name]
    [info] = signature.inputs.values()
    [result] = model.run({info.name: array}, [signature.outputs[output].name], **options)
    return result.tolist()


def export_price(path, factor=2.0, dtype=tf.float32, **changes):
    """Exports a model of two named inputs, whose output `price` is `area * factor + rooms`.

    Args:
        path: The version's folder.
        factor: Changes the numbers.
        dtype: That of `price`.
        changes: `scalar=True` for inputs without dimensions.
    """
    shape = [] if changes.get("scalar") else [None]

    @tf.function(
        input_signature=[
            tf.TensorSpec(shape, tf.float32, name="area"),
            tf.TensorSpec(shape, tf.int64, name="rooms"),
        ],
        autograph=False,
    )
    def price(area, rooms):
        value = area * factor + tf.cast(rooms, tf.float32)
        return {"price": tf.cast(value, dtype), "size": tf.where(area > 50, "large", "small")}

    tf.saved_model.save(tf.Module(), str(path), signatures={"serving_default": price})
    return path
