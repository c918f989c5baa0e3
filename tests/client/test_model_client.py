"""Clients of any model, with a fake server: single calls, signatures, options, and threads."""

from __future__ import annotations

import os
import pickle
import threading

import grpc
import pytest
import seq2sum
from seq2sum.testing import FakeSignature
from support.both_clients import MODEL_KINDS
from support.fake_models import PRICE, RENAMED, STRINGS, any_model_server
from support.grpc_forks import forks_with_a_server


@pytest.fixture
def server():
    with any_model_server() as server:
        yield server


@pytest.fixture(params=MODEL_KINDS)
def make(request):
    """Makes a `ModelClient`, or an `AsyncModelClient` with its methods."""
    made = []

    def make(target, **options):
        client = MODEL_KINDS[request.param](target, model="any", **options)
        made.append(client)
        return client

    yield make
    for client in made:
        client.__exit__(None, None, None)


@pytest.fixture
def client(make, server):
    return make(server.target)


def methods(server):
    return [call.method for call in server.calls]


def test_predict_converts_inputs_by_the_signature_that_it_fetches_once(client, server):
    for _ in range(3):
        prediction = client.predict({"text": ["a", b"bcd"]})
        assert prediction["score"].tolist() == [1.0, 3.0]
        assert prediction.version == 1
    assert methods(server) == ["GetModelMetadata", *["Predict"] * 3]
    client.predict(["x"], label="old")
    client.predict(["x"], version=1)
    assert methods(server).count("GetModelMetadata") == 3
    assert [call.label for call in server.calls][-4:-2] == ["old", "old"]


def test_integers_become_the_floats_of_the_signature(client, server):
    found = client.predict({"size": [[2], [3]], "rooms": [4, 5]}, signature="price")
    assert found["price"].tolist() == [8.0, 12.0]
    assert found["rooms"].dtype == "DT_INT32"
    assert server.calls[-1].inputs["size"].dtype == "DT_FLOAT"


def test_a_prediction_is_a_mapping_with_a_version(client):
    found = client.predict({"size": [[2]], "rooms": [4]}, signature="price")
    assert list(found) == ["price", "rooms"]
    assert len(found) == 2
    assert "price" in found
    assert dict(found) == found.outputs
    with pytest.raises(KeyError, match=r"no output 'x'; the outputs are \['price', 'rooms'\]"):
        found["x"]
    with pytest.raises(ValueError, match="there are 2 outputs"):
        _ = found.tensor
    assert repr(found) == (
        "<seq2sum.Prediction of version 1\n"
        "  price: <seq2sum.Tensor DT_FLOAT [1]: [8.0]>\n"
        "  rooms: <seq2sum.Tensor DT_INT32 [1]: [4]>>"
    )
    assert pickle.loads(pickle.dumps(found)) == found


def test_only_the_requested_outputs_are_returned(client):
    inputs = {"size": [[2]], "rooms": [4]}
    for outputs in ("price", ["price"], ("price", "price")):
        found = client.predict(inputs, signature="price", outputs=outputs)
        assert list(found) == ["price"]
        assert found.tensor.tolist() == [8.0]


@pytest.mark.parametrize(
    ("inputs", "options", "text"),
    [
        ({}, {}, "inputs missing ['text']: signature 'serving_default' has ['text']"),
        ({"text": ["x"], "b": 1}, {}, "inputs unknown ['b']"),
        ({"Text": ["x"]}, {}, "inputs missing ['text'] and unknown ['Text']"),
        (["x"], {"signature": "price"}, "has 2 inputs: give a mapping with ['rooms', 'size']"),
        ([1], {}, ("invalid input 'text' of signature 'serving_default': expected DT_STRING of "
                  "shape [any], not 1 of type int")),
        ("x", {}, "not values of type str of shape []; write a list of one value"),
        ([["x"]], {}, "not values of type str of shape [1, 1]"),
        (None, {}, "not None"),
        ([["x"], []], {}, "a ragged list"),
        (["x"], {"signature": "nope"}, ("version 1 has no signature 'nope': give signature=, one "
                                       "of ['price', 'serving_default']")),
        (["x"], {"signature": None}, "invalid signature None"),
        (["x"], {"outputs": ["nope"]}, ("unknown outputs ['nope']: signature 'serving_default' has "
                                       "['score']")),
        (["x"], {"outputs": []}, "no outputs"),
        (["x"], {"outputs": 5}, "invalid outputs 5: expected names of outputs"),
        (["x"], {"outputs": [5]}, "unknown outputs [5]"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit_are_refused_before_the_call(client, server, inputs, options, text):
    with pytest.raises(seq2sum.InvalidInput) as caught:
        client.predict(inputs, **options)
    assert text in str(caught.value)
    assert str(caught.value).endswith(
        f"[INVALID_ARGUMENT from {server.target}, model any, latest version]"
    )
    assert isinstance(caught.value, seq2sum.InvalidRequest | ValueError)
    assert "Predict" not in methods(server)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_missing_default_signature_is_reported_with_the_existing_ones(client, server):
    server.signatures = {"price": PRICE}
    with pytest.raises(seq2sum.InvalidInput, match=r"no signature 'serving_default'.*\['price'\]"):
        client.predict(["x"])
    server.signatures = {}
    with pytest.raises(seq2sum.InvalidInput, match="it has no signatures"):
        client.predict(["x"])


def test_signatures_are_fetched_again_when_the_inputs_do_not_fit_the_known_ones(client, server):
    client.predict({"text": ["x"]})
    server.signatures, server.versions = {"serving_default": RENAMED}, [2]
    assert client.predict({"words": ["x"]}).version == 2
    assert methods(server) == ["GetModelMetadata", "Predict"] * 2


def test_signatures_are_fetched_again_when_the_server_rejects_the_inputs(client, server):
    client.predict(["x"])
    server.signatures, server.versions = {"serving_default": RENAMED}, [2]
    found = client.predict(["x"])  # fits the signature of version 1, and is sent as "text"
    assert (found.version, found["echo"].strings) == (2, ["x"])
    assert methods(server)[2:] == ["Predict", "GetModelMetadata", "Predict"]


def test_signatures_are_fetched_again_when_another_version_has_answered(client, server):
    client.predict(["x"])
    server.versions = [1, 2]
    assert client.predict(["x"]).version == 2
    assert client.predict(["x"]).version == 2
    assert client.predict(["x"]).version == 2
    assert methods(server).count("GetModelMetadata") == 2
    server.versions = [1]
    client.predict(["x"])
    client.predict(["x"])
    assert methods(server).count("GetModelMetadata") == 2  # the signatures of version 1 are cached


def test_a_call_that_the_server_rejects_is_not_repeated_if_nothing_has_changed(client, server):
    client.predict(["x"])
    server.fail(grpc.StatusCode.INVALID_ARGUMENT, "bad data")
    with pytest.raises(seq2sum.InvalidRequest, match="bad data") as caught:
        client.predict(["x"])
    assert not isinstance(caught.value, seq2sum.InvalidInput)
    assert methods(server)[2:] == ["Predict", "GetModelMetadata"]


def test_output_of_another_dtype_than_declared_is_unexpected(client, server, monkeypatch):
    other = FakeSignature(lambda inputs: inputs["text"], {"text": STRINGS}, {"score": STRINGS})
    client.predict(["x"])
    declared = server._metadata("any", 1)
    monkeypatch.setattr(server, "_metadata", lambda *_: declared)
    server.signatures = {"serving_default": other}
    with pytest.raises(seq2sum.UnexpectedResponse) as caught:
        client.predict(["x"])
    assert "output 'score' is DT_STRING [1], but the signature declares DT_FLOAT" in str(
        caught.value
    )


def test_call_options_apply_to_predict(make, server):
    client = make(server.target, label="old")
    client.predict(["x"], metadata=[("x-team", "sums")], timeout=5)
    assert {call.label for call in server.calls} == {"old"}
    assert ("x-team", "sums") in server.calls[-1].metadata
    assert server.calls[-1].time_remaining < 5
    client.predict(["x"], version=1)
    assert (server.calls[-1].label, server.calls[-1].version) == (None, 1)
    assert client.versions() == [seq2sum.VersionStatus(1, seq2sum.State.AVAILABLE)]
    assert client.wait_until_available().version == 1
    assert server.calls[-1].label == "old"
    with pytest.raises(seq2sum.VersionNotFound):
        client.predict(["x"], label="nope")
    server.delay = 1.0
    with pytest.raises(seq2sum.DeadlineExceeded):
        client.predict(["x"], timeout=0.05)


def test_label_and_split_exclude_each_other(make, server):
    with pytest.raises(ValueError, match="label and split exclude each other"):
        make(server.target, label="old", split=seq2sum.Split(old=1))


def test_split_applies_to_predict(make, server):
    client = make(server.target, split=seq2sum.Split(old=1))
    client.predict(["x"], key="user")
    assert {call.label for call in server.calls} == {"old"}


def test_shadow_applies_to_predict(make, server):
    results, reported = [], threading.Event()

    def on_result(*both):
        results.append(both)
        reported.set()

    client = make(server.target, shadow=seq2sum.Shadow(on_result, label="old"))
    found = client.predict(["abc"])
    assert reported.wait(10)
    assert results == [(found, found)]
    assert [call.label for call in server.calls] == [None, None, "old"]


def test_model_is_required():
    for kind in (seq2sum.ModelClient, seq2sum.AsyncModelClient):
        with pytest.raises(TypeError, match=r"needs the name of a model: model="):
            kind("localhost:8500")


def test_describe_prints_a_table(client, server):
    described = client.describe()
    assert isinstance(described, seq2sum.ModelMetadata)
    assert str(described) == (
        "version 1\n"
        "  signature price\n"
        "    input   rooms  int32 [any]\n"
        "    input   size   float [any, 1]\n"
        "    output  price  float [any]\n"
        "    output  rooms  int32 [any]\n"
        "  signature serving_default\n"
        "    input   text   string [any]\n"
        "    output  score  float [any]"
    )
    server.signatures = {}
    assert str(client.describe()) == "version 1\n  no signatures"


@forks_with_a_server
def test_a_client_works_in_a_forked_child(server):
    with seq2sum.ModelClient(server.target, model="any") as client:
        client.predict(["x"])
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            os.write(writing, str(client.predict(["abc"]).tensor.item()).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 10) == b"3.0"


def test_threads_share_a_client(server):
    with seq2sum.ModelClient(server.target, model="any") as client:
        found = {}

        def call(size):
            found[size] = client.predict(["x" * size]).tensor.item()

        threads = [threading.Thread(target=call, args=(size,)) for size in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {size: size for size in range(20)}
