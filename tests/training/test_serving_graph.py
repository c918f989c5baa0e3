"""The serving graph: equal to the Keras model, and what the contract promises."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from seq2sum.addition import contract
from seq2sum_training import recipe
from seq2sum_training.data.layouts import Layout
from seq2sum_training.data.questions import questions
from seq2sum_training.graph.serving import ServingModel
from seq2sum_training.model import network
from support.paths import ROOT
from tensorflow.core.protobuf import saved_model_pb2

QUESTIONS = [b"53+42", b"999+1", b"0+0", b"7+123", b"123+456"]


@pytest.fixture(
    scope="module", params=[("default", "lstm"), ("seed", "gru"), ("fast", "simple_rnn")]
)
def pair(request):
    """A recipe's serving graph and the Keras model it was made from, with random weights."""
    name, cell = request.param
    return untrained(name, "network.encoder=16", "network.decoder=12", f"network.cell={cell}")


def untrained(name, *settings):
    chosen = recipe.load(name, settings)
    keras.utils.set_random_seed(3)
    model = network.build(chosen)
    for variable in model.trainable_variables:  # biases start at constants: make all of them count
        variable.assign(variable + keras.random.normal(variable.shape, seed=4) * 0.3)
    return ServingModel(chosen, model), model


KINDS = [
    ("paired", "simple_rnn", 1),
    ("aligned", "gru", 1),
    ("reversed", "simple_rnn", 2),
    ("padded", "lstm", 3),
    ("paired", "lstm", 3),
    ("aligned", "simple_rnn", 4),
    ("reversed", "lstm", 5),
    ("paired", "gru", 18),
]
"""Every cell and layout, both ways of reading, answers of one part and of several."""


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: "-".join(map(str, kind)))
def kind(request):
    """A small network of each kind, its Keras model, and questions to it."""
    layout, cell, digits = request.param
    settings = [f"layout={layout}", f"network.cell={cell}", f"digits={digits}"]
    sizes = ["network.encoder=6", "network.decoder=5"]
    random = np.random.default_rng(5)
    asked = questions(*random.integers(0, 10 ** random.integers(1, digits + 1, (2, 300))))
    return *untrained("wide", *settings, *sizes), asked


def keras_probabilities(serving, model, questions):
    chosen = serving.recipe
    tokens = Layout.named(chosen.layout, chosen.digits).tokens(np.array(questions))
    vocabulary = Layout.named(chosen.layout, chosen.digits).vocabulary
    found = np.asarray(model(keras.ops.one_hot(tokens, vocabulary)))
    return found[:, ::-1] if chosen.answers == "reversed" else found


def test_probabilities_are_those_of_the_keras_model(pair):
    serving, model = pair
    detail = serving.ask(QUESTIONS, signature="probabilities")
    expected = keras_probabilities(serving, model, QUESTIONS)
    np.testing.assert_allclose(detail["probabilities"], expected, atol=1e-6)
    assert (detail["token_ids"] == expected.argmax(axis=2)).all()


def test_answers_and_confidence_follow_from_the_probabilities(pair):
    serving, model = pair
    outputs = serving.ask(QUESTIONS)
    expected = keras_probabilities(serving, model, QUESTIONS)
    texts = ["".join(contract.ALPHABET[i] for i in row) for row in expected.argmax(axis=2)]
    assert [text.decode() for text in outputs["answers"]] == [text.strip() for text in texts]
    np.testing.assert_allclose(outputs["confidence"], expected.max(axis=2).prod(axis=1), rtol=1e-4)


def test_every_kind_of_network_is_that_of_keras(kind):
    serving, model, asked = kind
    expected = keras_probabilities(serving, model, asked)
    detail = serving.ask(asked, signature="probabilities")
    np.testing.assert_allclose(detail["probabilities"], expected, atol=1e-5)
    outputs = serving.ask(asked)
    texts = ["".join(contract.ALPHABET[i] for i in row) for row in expected.argmax(axis=2)]
    assert [text.decode() for text in outputs["answers"]] == [text.strip() for text in texts]
    np.testing.assert_allclose(outputs["confidence"], expected.max(axis=2).prod(axis=1), rtol=1e-4)


def operators(*graphs):
    nodes = [node for graph in graphs for node in graph.node]
    nodes += [node for graph in graphs for f in graph.library.function for node in f.node_def]
    return {node.op for node in nodes}


# Each of them is in the registry of TensorFlow 2.15.1; `tests/support/older_tensorflow.py` shows
# that for this file, and asks an exported version there.
ALLOWED = set((ROOT / "tests" / "operators.txt").read_text().split())


def test_every_operator_is_stock_and_known_to_an_older_server(kind):
    functions = kind[0].signatures.values()
    assert operators(*(f.graph.as_graph_def() for f in functions)) <= ALLOWED


def test_what_saving_adds_is_stock_too(pair, tmp_path):
    serving, _ = pair
    serving.save(str(tmp_path))
    saved = saved_model_pb2.SavedModel.FromString((tmp_path / "saved_model.pb").read_bytes())
    assert operators(*(graph.graph_def for graph in saved.meta_graphs)) <= ALLOWED


def test_one_hot_is_what_the_network_reads(pair):
    serving, _ = pair
    one_hot = serving.ask(QUESTIONS, signature="one_hot")["one_hot"]
    layout = Layout.named(serving.recipe.layout, 3)
    assert (one_hot.argmax(axis=2) == layout.tokens(np.array(QUESTIONS))).all()
    assert (one_hot.sum(axis=2) == 1).all()


def test_a_bad_row_costs_its_neighbours_nothing(pair):
    serving, _ = pair
    alone = serving.ask([b"53+42"])
    mixed = serving.ask([b"12+x", b"53+42", b"1234+1", b"", b"\xff\0", b"9" * 100_000])
    assert mixed["answers"][1] == alone["answers"][0]
    assert mixed["confidence"][1] == pytest.approx(alone["confidence"][0], rel=1e-5)
    assert mixed["status"].tolist() == [1, 0, 2, 1, 1, 1]
    assert (mixed["answers"][[0, 2, 3, 4, 5]] == b"").all()
    assert (mixed["confidence"][[0, 2, 3, 4, 5]] == 0).all()


def test_an_empty_batch_is_answered(pair):
    serving, _ = pair
    for signature in contract.SIGNATURES:
        outputs = serving.ask([], signature=signature.name)
        assert {t.name for t in signature.outputs} == set(outputs)
        assert all(len(array) == 0 for array in outputs.values())


def test_signatures_are_those_of_the_contract(pair):
    serving, _ = pair
    described = serving.describe()["signatures"]
    for name, function in serving.signatures.items():
        for output, tensor in function.structured_outputs.items():
            wanted = described[name]["outputs"][output]
            assert wanted["dtype"] == f"DT_{tensor.dtype.name.upper()}".replace("FLOAT32", "FLOAT")
            assert [size or -1 for size in tensor.shape.as_list()] == wanted["shape"]


def test_weights_are_constants_of_the_graph(pair):
    serving, _ = pair
    for function in serving.signatures.values():
        assert not function.graph.variables
        assert not function.captured_inputs
