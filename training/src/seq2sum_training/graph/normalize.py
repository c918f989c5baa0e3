"""Tidying: the rare questions that do not fit a fixed window, rewritten so that they do.

A question may trail as many spaces as it likes, and what is no question may have any length.
The few rows that are so are picked out, rewritten with regular expressions and put back, so
that they cost the others nothing. Batches without such rows never run this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Open = Callable[[Any], tuple[Any, Any]]
"""From questions, string [n], to their bytes, [n, ...], and their lengths, int32 [n]."""


def tidied(questions: Any, untidy: Callable[[Any, Any], Any], opened: Open, digits: int) -> Any:
    """What `opened` makes of the questions, after rewriting those that are `untidy`.

    Args:
        questions: Strings, [n].
        untidy: From bytes and lengths to the rows to rewrite, bool [n].
        opened: How to open questions.
        digits: Most digits of an operand.
    """
    raw, length = opened(questions)
    rows = untidy(raw, length)

    def rewritten() -> tuple[Any, Any]:
        where = tf.where(rows)
        parts = opened(plain(tf.gather_nd(questions, where), digits))
        return tuple(
            tf.tensor_scatter_nd_update(whole, where, part)
            for whole, part in zip((raw, length), parts, strict=True)
        )

    return tf.cond(tf.reduce_any(rows), rewritten, lambda: (raw, length))


def plain(questions: Any, digits: int) -> Any:
    """The same questions without spaces and leading zeros.

    Anything that cannot be answered becomes something short of the same status.
    """
    number = f"[0-9]{{1,{digits}}}"
    fits = tf.strings.regex_full_match(questions, rf"{number}\+{number} *")
    is_question = tf.strings.regex_full_match(questions, r"[0-9]+\+[0-9]+ *")
    stripped = tf.strings.regex_replace(tf.where(fits, questions, ""), " +$", "")
    short = tf.strings.regex_replace(stripped, r"(^|\+)0+([0-9])", r"\1\2")
    too_long = "1" * (digits + 1) + "+1"
    return tf.where(fits, short, tf.where(is_question, too_long, ""))
