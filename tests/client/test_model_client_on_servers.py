"""Clients of any model, on a server with the SavedModels of the recorded conversations."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import seq2sum
import tensorflow as tf
from seq2sum._dtypes import DTYPES
from seq2sum._examples import example
from seq2sum._nested_lists import InvalidValue
from support import servers
from support.both_clients import MODEL_KINDS
from support.paths import ROOT

pytestmark = pytest.mark.server

FIXTURES = ROOT / "tests" / "conformance"
CONFIG = """model_config_list {{
  config {{ name: "fixture" base_path: "{fixture}" model_platform: "tensorflow"
           model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
           version_labels {{ key: "old" value: 1 }} }}
  config {{ name: "odd" base_path: "{fixture}2" model_platform: "tensorflow" }} }}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fixtures")
    config = folder / "models.config"
    config.write_text(CONFIG.format(fixture=FIXTURES / "fixture"))
    flags = ["--allow_version_labels_for_unavailable_models=true"]
    server = servers.Server.launch(None, folder, config=config, flags=flags, forked=True)
    try:
        yield server.wait_until_open()
    finally:
        server.stop()


@pytest.fixture(params=MODEL_KINDS)
def connect(request, server):
    made = []

    def connect(model, **options):
        client = MODEL_KINDS[request.param](server.target, model=model, **options)
        made.append(client)
        return client

    yield connect
    for client in made:
        client.__exit__(None, None, None)


@pytest.fixture
def client(connect):
    return connect("fixture")


@pytest.fixture
def odd(connect):
    return connect("odd")


def test_predict_of_several_inputs_and_dtypes(client):
    found = client.predict({"x": [[1, 2, 3]], "y": [4]}, signature="matrix")
    assert {name: (each.dtype, each.shape) for name, each in found.items()} == {
        "b": ("DT_BOOL", (1,)), "n": ("DT_INT64", (1,)), "z": ("DT_FLOAT", (1, 2)),
    }  # fmt: skip
    assert found.version == 2
    assert list(client.predict({"x": [[1, 2, 3]], "y": [4]}, signature="matrix", outputs="n")) == [
        "n"
    ]


def test_a_scalar_and_the_version_of_a_label(client):
    assert "2" in client.predict("hi", signature="scalar")["text"].strings
    assert "1" in client.predict("hi", signature="scalar", label="old")["text"].strings


def test_an_input_with_a_default_may_be_left_out(client):
    signature = client.describe().signatures["scaled"]
    assert signature.optional == {"k"}
    assert "optional" in str(client.describe())
    given = client.predict({"a": [1, 2], "k": 3}, signature="scaled").tensor
    default = client.predict({"a": [1, 2]}, signature="scaled").tensor
    assert given.tolist() != default.tolist()


ECHOED = {
    "DT_BOOL": [[True, False]],
    "DT_STRING": [["a", b"\xff"]],
    "DT_COMPLEX64": [[1 + 2j, 3]],
    "DT_COMPLEX128": [[1 + 2j, 3]],
}


def test_every_dtype_is_echoed(odd):
    signatures = odd.describe().signatures
    echoes = {name: each for name, each in signatures.items() if name.startswith("echo_")}
    tested = set()
    for name, signature in echoes.items():
        [(alias, spec)] = signature.inputs.items()
        if spec.dtype not in DTYPES:
            continue
        values = ECHOED.get(spec.dtype, [[1, 2]])
        found = odd.predict({alias: values}, signature=name).tensor
        expected = [[b"a", b"\xff"]] if spec.dtype == "DT_STRING" else values
        assert (found.dtype, found.shape, found.tolist()) == (spec.dtype, (1, 2), expected)
        if spec.dtype == "DT_BFLOAT16":
            array = np.array(values, ml_dtypes.bfloat16)
            assert odd.predict(array, signature=name).tensor == found
        elif spec.dtype != "DT_STRING" and not spec.dtype.startswith("DT_Q"):
            array = np.asarray(found)
            assert odd.predict(array, signature=name).tensor == found
        tested.add(spec.dtype)
    assert len(tested) >= 10, tested


def test_vectors_of_every_dtype(client):
    for name in ("types", "rare_types"):
        signature = client.describe().signatures[name]
        inputs = {
            alias: ECHOED.get(spec.dtype, [[1, 2]])[0] for alias, spec in signature.inputs.items()
        }
        found = client.predict(inputs, signature=name)
        assert {each.shape for each in found.values()} == {(2,)}
        declared = {alias: spec.dtype for alias, spec in signature.outputs.items()}
        assert {alias: each.dtype for alias, each in found.items()} == declared


def test_a_request_that_the_graph_rejects_is_an_invalid_request(client):
    with pytest.raises(seq2sum.InvalidRequest) as caught:
        client.predict({"x": [-1.0]}, signature="fails")
    assert not isinstance(caught.value, seq2sum.InvalidInput)


def test_classify(client):
    examples = [{"x": 0.25}, {"x": [0.75]}]
    found = client.classify(examples, signature="classify", version=1)
    assert found.version == 1
    assert [[label for label, _ in row] for row in found] == [["low", "high"]] * 2
    assert [row[0].score for row in found] == [0.25, 0.75]
    assert len(found) == 2
    shared = client.classify([{}], context={"x": 0.75}, signature="classify")
    assert [row[0].score for row in shared] == [0.75]


def test_regress(client):
    found = client.regress([{"x": 0.25}, {"x": 0.5}], signature="regress", version=1)
    assert found == seq2sum.Regressions([1.5, 2.0], 1)
    assert list(found) == [1.5, 2.0]
    assert len(found) == 2
    with pytest.raises(seq2sum.InvalidRequest, match="Expected one input Tensor"):
        client.regress([{"x": 0.25}], signature="matrix")


@pytest.mark.parametrize(
    ("examples", "text"),
    [
        ({"x": 1.0}, "invalid examples: expected a list of mappings, not dict"),
        ("x", "not str"),
        ([1], "invalid example 0: expected a mapping, not 1"),
        ([{}, {"x": None}], "invalid feature 'x' of example 1: None"),
        ([{"x": [[1.0]]}], "invalid feature 'x' of example 0"),
        ([{"x": [1, "a"]}], "invalid feature 'x' of example 0"),
        ([{"x": 2**63}], "its range is"),
        ([{"x": 1j}], "not 1j of type complex"),
        ([{"x": "\ud800"}], "cannot be encoded as UTF-8"),
        ([{1: 1.0}], "invalid feature 1 of example 0"),
    ],
)
def test_examples_that_do_not_fit_are_refused(client, examples, text):
    for method in (client.classify, client.regress):
        with pytest.raises(seq2sum.InvalidInput) as caught:
            method(examples)
        assert text in str(caught.value)


def test_examples_equal_those_of_tensorflow():
    features = {
        "ints": ([1, True, np.int32(3)], "int64_list", [1, 1, 3]),
        "floats": ([1, 0.5, np.float32(2)], "float_list", [1, 0.5, 2]),
        "array": (np.array([1.5, 2.5]), "float_list", [1.5, 2.5]),
        "bytes": ("é", "bytes_list", ["é".encode()]),
        "texts": (["a", b"\xff"], "bytes_list", [b"a", b"\xff"]),
    }
    wanted = tf.train.Example()
    for name, (_, kind, values) in features.items():
        getattr(wanted.features.feature[name], kind).value.extend(values)
    wanted.features.feature["none"].SetInParent()
    given = {name: value for name, (value, _, _) in features.items()} | {"none": []}
    found = example(given, "example 0").SerializeToString()
    assert tf.train.Example.FromString(found) == wanted
    with pytest.raises(InvalidValue, match="invalid example 3: expected a mapping"):
        example([], "example 3")


def test_stream_of_rows(client):
    rows = ({"x": [n, n, n], "y": n} for n in range(1000))
    found = list(client.predict_stream(rows, signature="matrix", batch_size=64))
    assert [len(each["n"]) for each in found] == [64] * 15 + [40]


def test_state_and_signatures(client, odd):
    assert [each.version for each in client.versions()] == [2, 1]
    assert client.wait_until_available(label="old").version == 1
    assert "signature serving_default" in str(odd.describe())
    with pytest.raises(seq2sum.InvalidInput, match=r"version 2 has no signature 'nope'"):
        client.predict([1], signature="nope")
