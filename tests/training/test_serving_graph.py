"""The serving graph, compared with the Keras model and the contract."""

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

pytestmark = pytest.mark.tensorflow

QUESTIONS = [b"53+42", b"999+1", b"0+0", b"7+123", b"123+456"]


@pytest.fixture(
    scope="module", params=[("default", "lstm"), ("seed", "gru"), ("fast", "simple_rnn")]
)
def models(request):
    """Returns a recipe's serving graph and its Keras model, with random weights."""
    name, cell = request.param
    return random_models(name, "network.encoder=16", "network.decoder=12", f"network.cell={cell}")


def random_models(name, *settings):
    chosen = recipe.load(name, settings)
    keras.utils.set_random_seed(3)
    model = network.build(chosen)
    for variable in model.trainable_variables:  # initial biases are constant
        variable.assign(variable + keras.random.normal(variable.shape, seed=4) * 0.3)
    return ServingModel(chosen, model), model


NETWORKS = [
    ("paired", "simple_rnn", 1),
    ("aligned", "gru", 1),
    ("reversed", "simple_rnn", 2),
    ("padded", "lstm", 3),
    ("paired", "lstm", 3),
    ("aligned", "simple_rnn", 4),
    ("reversed", "lstm", 5),
    ("paired", "gru", 18),
]
"""Every cell and layout, both readers (`word_reader` and `window_reader`), and answers of one and
of several parts of up to four characters."""


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda network: "-".join(map(str, network)))
def small_models(request):
    """Returns a small serving graph, its Keras model, and questions."""
    layout, cell, digits = request.param
    settings = [f"layout={layout}", f"network.cell={cell}", f"digits={digits}"]
    sizes = ["network.encoder=6", "network.decoder=5"]
    random = np.random.default_rng(5)
    texts = questions(*random.integers(0, 10 ** random.integers(1, digits + 1, (2, 300))))
    return *random_models("wide", *settings, *sizes), texts


def keras_probabilities(serving, model, questions):
    chosen = serving.recipe
    tokens = Layout.named(chosen.layout, chosen.digits).tokens(np.array(questions))
    vocabulary = Layout.named(chosen.layout, chosen.digits).vocabulary
    found = np.asarray(model(keras.ops.one_hot(tokens, vocabulary)))
    return found[:, ::-1] if chosen.answers == "reversed" else found


def assert_equal_to_keras(serving, model, texts, *, atol):
    expected = keras_probabilities(serving, model, texts)
    detail = serving.ask(texts, signature="probabilities")
    np.testing.assert_allclose(detail["probabilities"], expected, atol=atol)
    outputs = serving.ask(texts)
    answers = ["".join(contract.ALPHABET[i] for i in row) for row in expected.argmax(axis=2)]
    assert [text.decode() for text in outputs["answers"]] == [text.strip() for text in answers]
    np.testing.assert_allclose(outputs["confidence"], expected.max(axis=2).prod(axis=1), rtol=1e-4)
    return expected


def test_outputs_equal_those_of_the_keras_model(models):
    expected = assert_equal_to_keras(*models, QUESTIONS, atol=1e-6)
    detail = models[0].ask(QUESTIONS, signature="probabilities")
    assert (detail["token_ids"] == expected.argmax(axis=2)).all()


def test_outputs_of_every_cell_and_layout_equal_those_of_the_keras_model(small_models):
    assert_equal_to_keras(*small_models, atol=1e-5)


def operators(*graphs):
    nodes = [node for graph in graphs for node in graph.node]
    nodes += [node for graph in graphs for f in graph.library.function for node in f.node_def]
    return {node.op for node in nodes}


# Operators of TensorFlow 2.15.1; `tests/support/older_tensorflow.py` verifies the list there.
ALLOWED = set((ROOT / "tests" / "operators.txt").read_text().split())


def test_graph_has_only_operators_of_tensorflow_2_15(small_models):
    functions = small_models[0].signatures.values()
    assert operators(*(f.graph.as_graph_def() for f in functions)) <= ALLOWED


def test_saved_model_has_only_operators_of_tensorflow_2_15(models, tmp_path):
    serving, _ = models
    serving.save(str(tmp_path))
    saved = saved_model_pb2.SavedModel.FromString((tmp_path / "saved_model.pb").read_bytes())
    assert operators(*(graph.graph_def for graph in saved.meta_graphs)) <= ALLOWED


def test_one_hot_has_the_encoder_tokens(models):
    serving, _ = models
    one_hot = serving.ask(QUESTIONS, signature="one_hot")["one_hot"]
    layout = Layout.named(serving.recipe.layout, 3)
    assert (one_hot.argmax(axis=2) == layout.tokens(np.array(QUESTIONS))).all()
    assert (one_hot.sum(axis=2) == 1).all()


def test_invalid_rows_do_not_affect_other_rows(models):
    serving, _ = models
    alone = serving.ask([b"53+42"])
    mixed = serving.ask([b"12+x", b"53+42", b"1234+1", b"", b"\xff\0", b"9" * 100_000])
    assert mixed["answers"][1] == alone["answers"][0]
    assert mixed["confidence"][1] == pytest.approx(alone["confidence"][0], rel=1e-5)
    assert mixed["status"].tolist() == [1, 0, 2, 1, 1, 1]
    assert (mixed["answers"][[0, 2, 3, 4, 5]] == b"").all()
    assert (mixed["confidence"][[0, 2, 3, 4, 5]] == 0).all()


def test_empty_batch(models):
    serving, _ = models
    for signature in contract.SIGNATURES:
        outputs = serving.ask([], signature=signature.name)
        assert {t.name for t in signature.outputs} == set(outputs)
        assert all(len(array) == 0 for array in outputs.values())


def test_signatures_match_the_contract(models):
    serving, _ = models
    described = serving.describe()["signatures"]
    for name, function in serving.signatures.items():
        for output, tensor in function.structured_outputs.items():
            expected = described[name]["outputs"][output]
            assert expected["dtype"] == f"DT_{tensor.dtype.name.upper()}".replace(
                "FLOAT32", "FLOAT"
            )
            assert [size or -1 for size in tensor.shape.as_list()] == expected["shape"]


def test_weights_are_constants_of_the_graph(models):
    serving, _ = models
    for function in serving.signatures.values():
        assert not function.graph.variables
        assert not function.captured_inputs
