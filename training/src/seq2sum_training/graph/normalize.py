"""Rewrites unusual questions so that they fit into a window of fixed size.

A valid question may have any number of trailing spaces, and an invalid one any length. Only such
rows are gathered, rewritten with regular expressions and scattered back, so the other rows cost no
more; a batch without them skips all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Branch = Callable[..., tuple[Any, ...]]
"""Takes tensors, and returns tensors."""
Decode = Callable[[Any], tuple[Any, Any]]
"""Takes questions, string [n]; returns their bytes, [n, ...], and their lengths, int32 [n]."""


def decode_normalized(
    questions: Any, is_unusual: Callable[[Any, Any], Any], decode: Decode, digits: int
) -> tuple[Any, Any]:
    """Decodes questions, after rewriting the unusual ones.

    Args:
        questions: Strings, [n].
        is_unusual: Takes bytes and lengths; returns the rows to rewrite, bool [n].
        decode: Decodes questions to bytes and lengths.
        digits: Most digits of an operand.
    """
    raw, length = decode(questions)
    rows = is_unusual(raw, length)

    def rewritten(questions: Any, raw: Any, length: Any, rows: Any) -> tuple[Any, ...]:
        indices = tf.where(rows)
        parts = decode(normalized(tf.gather_nd(questions, indices), digits))
        return tuple(
            tf.tensor_scatter_nd_update(all_rows, indices, part)
            for all_rows, part in zip((raw, length), parts, strict=True)
        )

    tensors = (questions, raw, length, rows)
    raw, length = _if(
        tf.reduce_any(rows),
        rewritten,
        lambda questions, raw, length, rows: (tf.identity(raw), tf.identity(length)),  # noqa: ARG005
        tensors,
    )
    return raw, length


def _if(condition: Any, then: Branch, otherwise: Branch, tensors: tuple[Any, ...]) -> list[Any]:
    """Calls one of two functions with the tensors; returns its outputs.

    Like `tf.cond`, but it stays one operator in the graph. TensorFlow lowers `tf.cond` to Switch
    and Merge operators, and its executor is slower for a graph that has any of them.
    """
    spec = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors]
    branches = [
        tf.function(body, input_signature=spec, autograph=False).get_concrete_function()
        for body in (then, otherwise)
    ]
    signature = branches[0].outputs
    outputs: list[Any] = tf.raw_ops.StatelessIf(
        cond=condition,
        input=list(tensors),
        Tout=[output.dtype for output in signature],
        then_branch=branches[0],
        else_branch=branches[1],
        output_shapes=[output.shape for output in signature],
    )
    return outputs


def normalized(questions: Any, digits: int) -> Any:
    """Returns the questions without spaces and leading zeros.

    Invalid questions are replaced by short ones with the same status.
    """
    number = f"[0-9]{{1,{digits}}}"
    fits = tf.strings.regex_full_match(questions, rf"{number}\+{number} *")
    is_question = tf.strings.regex_full_match(questions, r"[0-9]+\+[0-9]+ *")
    stripped = tf.strings.regex_replace(tf.where(fits, questions, ""), " +$", "")
    short = tf.strings.regex_replace(stripped, r"(^|\+)0+([0-9])", r"\1\2")
    too_long = "1" * (digits + 1) + "+1"
    return tf.where(fits, short, tf.where(is_question, too_long, ""))
