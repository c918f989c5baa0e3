"""No `tf.function` relies on AutoGraph, which converts the source code of Python functions.

AutoGraph of TensorFlow 2.21 emits DeprecationWarnings on Python 3.13. Where warnings are errors,
it leaves a function unconverted, and loops and conditions on tensors raise
OperatorNotAllowedInGraphError.
"""

from __future__ import annotations

import ast

import pytest
from support.paths import ROOT

FOLDERS = ("benchmarks", "client", "examples", "serving", "tests", "tools", "training")


def converted(source):
    """Returns the lines with a `tf.function` whose source TensorFlow would convert."""
    nodes = list(ast.walk(ast.parse(source)))
    functions = [node for node in nodes if isinstance(node, ast.Attribute) and is_tf(node)]
    unconverted = [
        node.func
        for node in nodes
        if isinstance(node, ast.Call)
        and any(word.arg == "autograph" and is_false(word.value) for word in node.keywords)
    ]
    return [node.lineno for node in functions if node not in unconverted]


def is_tf(node):
    return node.attr == "function" and isinstance(node.value, ast.Name) and node.value.id == "tf"


def is_false(node):
    return isinstance(node, ast.Constant) and node.value is False


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("tf.function(f, autograph=False)", []),
        ("@tf.function(jit_compile=True, autograph=False)\ndef f(): pass", []),
        ("\ntf.function(f)", [2]),
        ("tf.function(f, autograph=True)", [1]),
        ("@tf.function\ndef f(): pass", [1]),
        ("tf.function(tf.function(f), autograph=False)", [1]),
        ("functools.partial(tf.function, autograph=False)", [1]),
    ],
)
def test_search_finds_functions_that_are_converted(source, lines):
    assert converted(source) == lines


def test_no_function_is_converted():
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    sources = {path: path.read_text() for path in files}
    found = {path: converted(text) for path, text in sources.items() if "tf.function" in text}
    assert ROOT / "training/src/seq2sum_training/fit/trainer.py" in found
    assert {path: lines for path, lines in found.items() if lines} == {}
