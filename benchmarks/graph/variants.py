"""The graphs that `make bench-graph` compares, each prepared for calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from seq2sum.addition import contract
from seq2sum_training.data.layouts import Layout
from seq2sum_training.data.questions import all_pairs, questions
from seq2sum_training.graph.serving import ServingModel
from seq2sum_training.model import network
from seq2sum_training.recipe import Recipe
from seq2sum_training.run import Run
from seq2sum_training.run_metadata import provenance
from tensorflow.core.protobuf import config_pb2

from benchmarks.support.output import log
from benchmarks.training import tutorial

ROWS = 2000
"""Questions per call when all of them are compared."""
PROBABILITIES_EVERY = 20
"""Interval, in calls, at which probabilities are compared too."""

Prepare = Callable[[Any], Callable[[], object]]
"""Takes an input, and returns a callable that runs the graph on it."""


def use_one_thread() -> None:
    """Limits TensorFlow to one thread; call it before TensorFlow creates its thread pools."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def software() -> dict[str, Any]:
    """Returns the command and the versions of the software."""
    return {"command": "make bench-graph", "threads": 1, **provenance()}


def stock_export(model: Any, like: Recipe, folder: Path) -> dict[str, Callable[[int], Any]]:
    """Returns the tutorial's network in stock Keras: as `predict`, as a function, in a session."""
    stock = tutorial.network(like)
    stock.set_weights(model.get_weights())
    path = str(folder / "stock")
    stock.export(path, verbose=False)
    loaded = tf.saved_model.load(path)
    session = _session(path, "serve")
    characters = np.eye(len(contract.ALPHABET), dtype=np.float32)

    def random_input(batch: int) -> Any:
        tokens = np.random.default_rng(1).integers(
            0, len(characters), (batch, stock.input_shape[1])
        )
        return characters[tokens]

    def by_function(batch: int) -> Any:
        one_hot = tf.constant(random_input(batch))
        return lambda: loaded.serve(one_hot)

    def by_predict(batch: int) -> Any:
        one_hot = random_input(batch)
        return lambda: stock.predict(one_hot, batch_size=batch, verbose=0)

    return {
        "model.predict": by_predict,
        "stock export, function": by_function,
        "stock export, session": lambda batch: session(random_input(batch)),
    }


def serving_graph(run: Run, model: Any, folder: Path) -> tuple[Prepare, Prepare]:
    """Saves and loads a run's SavedModel; returns it as a function and in a session."""
    path = str(folder / run.name)
    ServingModel(run.recipe, model).save(path)
    loaded = tf.saved_model.load(path)

    def by_function(rows: Any) -> Callable[[], object]:
        given = tf.constant(rows, tf.string)
        return lambda: loaded.signatures[contract.DEFAULT.name](questions=given)

    return by_function, _session(path, contract.DEFAULT.name)


def matrix_products(like: Recipe) -> Callable[[int], Callable[[], object]]:
    """Returns only the matrix products of the serving graph of an LSTM recipe."""
    units, random = like.network.encoder, np.random.default_rng(1)
    characters, positions = len(contract.ALPHABET), contract.answer_length(like.digits)
    matrix = random.normal(size=(units, 4 * units)).astype(np.float32)
    head = random.normal(size=(characters, units)).astype(np.float32)
    heads = positions * head.size
    count, rest = divmod(network.multiply_adds(like) - heads, matrix.size)
    assert rest == 0

    def body(values: Any) -> list[Any]:
        # Only a corner of each product is fetched, so that copying the result costs nothing.
        corners = []
        for number in range(count):
            weights = tf.constant(matrix + np.float32(number))  # all different, as in the network
            corners.append(tf.matmul(values, weights)[:1, :1])
        stacked = tf.concat([values] * positions, axis=0)
        return [*corners, tf.matmul(tf.constant(head), stacked, transpose_b=True)[:1, :1]]

    graph = tf.Graph()
    with graph.as_default():
        values = tf.compat.v1.placeholder(tf.float32, [None, units])
        call = _callable(_one_thread(), [values.name], [t.name for t in body(values)])

    def prepare(batch: int) -> Callable[[], object]:
        given = random.normal(size=(batch, units)).astype(np.float32)
        return lambda: call(given)

    return prepare


def echo() -> Prepare:
    """Returns a session whose graph returns its input strings."""
    with tf.Graph().as_default():
        rows = tf.compat.v1.placeholder(tf.string, [None])
        call = _callable(_one_thread(), [rows.name], [tf.identity(rows).name])
    return lambda given: lambda: call(given)


def compare(run: Run, model: Any) -> dict[str, Any]:
    """Compares the serving graph's answers to all questions with the Keras model's."""
    chosen, serving = run.recipe, ServingModel(run.recipe, model)
    layout = Layout.named(chosen.layout, chosen.digits)
    every_question = questions(*all_pairs(chosen.digits))
    different, largest = 0, 0.0
    alphabet = np.frombuffer(contract.ALPHABET.encode(), np.uint8)
    for number, start in enumerate(range(0, len(every_question), ROWS)):
        rows = every_question[start : start + ROWS]
        one_hot = np.eye(layout.vocabulary, dtype=np.float32)[layout.tokens(rows)]
        expected = model.predict_on_batch(one_hot)
        if chosen.answers == "reversed":
            expected = expected[:, ::-1]
        texts = np.char.strip(alphabet[expected.argmax(axis=2)].view(f"S{expected.shape[1]}")[:, 0])
        answers, _ = serving.answers(rows)
        different += int((answers != texts).sum())
        if number % PROBABILITIES_EVERY == 0:
            detail = serving.ask(rows, signature=contract.DETAILED.name)
            found = detail[contract.PROBABILITIES.name]
            largest = max(largest, float(np.abs(found - expected).max()))
            log(f"{run.name}: {start:,} of {len(every_question):,} compared with Keras")
    return {
        "questions": len(every_question),
        "different_answers": different,
        "largest_probability_difference": largest,
    }


def _session(path: str, signature: str) -> Prepare:
    """Loads a SavedModel into a session, which is called as `seq2sum-serve` calls it."""
    graph = tf.Graph()
    session = _one_thread(graph)
    with graph.as_default():
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], path)
    described = loaded.signature_def[signature]
    names = [[t.name for t in side.values()] for side in (described.inputs, described.outputs)]
    call = _callable(session, *names)
    return lambda given: lambda: call(given)


def _one_thread(graph: Any = None) -> Any:
    config = config_pb2.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    return tf.compat.v1.Session(graph=graph, config=config)


def _callable(session: Any, feeds: list[str], fetches: list[str]) -> Any:
    options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
    return session._make_callable_from_options(options)
