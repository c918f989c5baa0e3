"""Copies of a version that name their number in every answer, and slow ones.

Replies of REST do not say which version answered. So the graph of a copy has one more output, a
constant, and nothing else about the version changes.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from seq2sum.addition import contract

MARK = "version"
"""The output with the number."""
SCOPE = "marked"
"""Prefix of the added operations."""
FILE = "saved_model.pb"


def mark(version: Path, folder: Path, number: int, *, delay: float = 0.0) -> Path:
    """Copies a version, and adds an output with its number; returns the copy.

    Args:
        version: A version's folder.
        folder: The folder of the copy.
        number: The number that it will have.
        delay: Seconds that every call takes longer.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    shutil.copytree(version, folder)
    model = saved_model_pb2.SavedModel.FromString((folder / FILE).read_bytes())
    [graph] = model.meta_graphs
    signature = graph.signature_def[contract.DEFAULT.name]
    with tf.Graph().as_default() as added, tf.name_scope(SCOPE):
        constant = tf.constant(number, tf.int64)
        slept = _sleep(delay) if delay else None
    graph.graph_def.node.extend(added.as_graph_def().node)
    if slept is not None:
        for name, output in signature.outputs.items():
            node = _after(slept.name, output, f"{SCOPE}/{name}")
            graph.graph_def.node.append(node)
            output.name = f"{node.name}:0"
    output = signature.outputs[MARK]
    output.name, output.dtype = constant.name, constant.dtype.as_datatype_enum
    output.tensor_shape.CopyFrom(constant.shape.as_proto())
    (folder / FILE).write_bytes(model.SerializeToString())
    return folder


def truncate(version: Path) -> Path:
    """Cuts the graph of a version in half, so that it cannot be loaded; returns the version."""
    content = (version / FILE).read_bytes()
    (version / FILE).write_bytes(content[: len(content) // 2])
    return version


def _sleep(seconds: float) -> Any:
    """Returns an operation that sleeps without holding up other calls."""
    import tensorflow as tf

    element: dict[str, Any] = {"output_types": [tf.int32], "output_shapes": [[]]}
    single = tf.raw_ops.TensorDataset(components=[0], output_shapes=[[]])
    # The operation sleeps twice: for the element and for the end of the data set.
    microseconds = tf.constant(int(1e6 * seconds / 2), tf.int64)
    sleeping = tf.raw_ops.SleepDataset(
        input_dataset=single, sleep_microseconds=microseconds, **element
    )
    [slept] = tf.raw_ops.DatasetToSingleElement(dataset=sleeping, **element)
    return slept.op


def _after(operation: str, output: Any, name: str) -> Any:
    """Returns a node that passes a tensor on after an operation has ended."""
    from tensorflow.core.framework import node_def_pb2

    node = node_def_pb2.NodeDef(name=name, op="Identity", input=[output.name, f"^{operation}"])
    node.attr["T"].type = output.dtype
    return node
