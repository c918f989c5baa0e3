"""Inputs that no signature accepts, and replies that no signature explains: a typed error each."""

from __future__ import annotations

import datetime as dt
import decimal

import grpc
import numpy as np
import pytest
import seq2sum
from seq2sum import TensorSpec
from seq2sum.protocol import predict_pb2
from seq2sum.testing import FakeServer, FakeSignature
from support.both_clients import MODEL_KINDS


class OnTheGpu:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


class Unknown:
    def __repr__(self):
        return "<Unknown>"


def echo(dtype, shape=(-1,)):
    spec = TensorSpec(dtype, shape)
    return FakeSignature(lambda inputs: inputs["x"], {"x": spec}, {"y": spec})


SIGNATURES = {
    "float": echo("DT_FLOAT"),
    "int": echo("DT_INT32"),
    "bool": echo("DT_BOOL"),
    "string": echo("DT_STRING"),
    "pairs": echo("DT_FLOAT", (-1, 2)),
    "resource": echo("DT_RESOURCE", ()),
    "two": FakeSignature(
        lambda inputs: {"a": inputs["x"]},
        {"x": TensorSpec("DT_FLOAT", (-1,))},
        {name: TensorSpec("DT_FLOAT", (-1,)) for name in "ab"},
    ),
}
ITSELF = []
ITSELF.append(ITSELF)


@pytest.fixture(scope="module")
def server():
    with FakeServer(model="any", signatures=SIGNATURES) as server:
        yield server


@pytest.fixture(scope="module", params=MODEL_KINDS)
def client(request, server):
    with MODEL_KINDS[request.param](server.target, model="any") as client:
        yield client


@pytest.mark.parametrize(
    ("signature", "value", "problem"),
    [
        # wrong dtype
        ("float", ["a"], "'a' of type str"),
        ("float", [b"a"], "b'a' of type bytes"),
        ("float", [True], "True of type bool"),
        ("float", [1j], "1j of type complex"),
        ("float", np.array(["a"]), "an array of <U1"),
        ("float", np.array(["2020-01-01"], "M8[D]"), "an array of datetime64[D]"),
        ("float", [dt.date(2026, 1, 2)], "datetime.date(2026, 1, 2) of type date"),
        ("float", [Unknown()], "<Unknown> of type Unknown"),
        ("float", {"x": [1]}, "{'x': [1]} of type dict"),
        ("float", {1}, "{1} of type set"),
        ("float", (value for value in [1]), "of type generator"),
        ("float", OnTheGpu(), "an array that cannot be read: can't convert cuda:0"),
        ("float", [OnTheGpu()], "an array that cannot be read: can't convert cuda:0"),
        ("int", [1.0], "1.0 of type float"),
        ("int", [decimal.Decimal(1)], "Decimal('1') of type Decimal"),
        ("int", np.array([1.0]), "an array of float64"),
        ("int", [2**31], "2147483648: its range is -2147483648 to 2147483647"),
        ("bool", [1], "values of type int"),
        ("string", [1], "1 of type int"),
        ("string", np.array([1.5]), "an array of float64"),
        ("string", ["\ud800"], "it cannot be encoded as UTF-8; give bytes instead"),
        ("float", [1e39], "a number that is too large for it"),
        ("float", [10**400], "a number that is too large for it"),
        # missing values
        ("float", None, "None"),
        ("float", [1, None], "None"),
        ("string", ["a", None], "None"),
        ("string", np.array(["a", None], object), "None"),
        ("float", np.array([1, None], object), "an object array"),
        ("float", np.array([1, 2], object), "an object array"),
        ("float", np.ma.array([1, 2], mask=[0, 1]), "an array of masked values; fill them first"),
        ("float", [np.ma.array(1.0, mask=True)], "an array of masked values; fill them first"),
        # wrong rank
        ("float", 1.0, "of shape []; write a list of one value"),
        ("float", np.float32(1), "of shape []; write a list of one value"),
        ("float", [[1]], "of shape [1, 1]"),
        ("pairs", [1, 2], "of shape [2]"),
        ("pairs", [[1, 2, 3]], "of shape [1, 3]"),
        ("pairs", [[]], "an empty list of shape [1, 0]"),
        ("pairs", np.zeros((2, 3)), "an array of float64 of shape [2, 3]"),
        # ragged
        ("pairs", [[1, 2], [3]], "a ragged list: rows of lengths 1 and 2 at depth 1"),
        ("float", [1, [2]], "a ragged list: lists next to values at depth 1"),
        ("pairs", [np.zeros(2), np.zeros(3)], "a ragged list"),
        ("float", ITSELF, "a list of more than 254 levels"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else type(value).__name__,
)
def test_value_that_does_not_fit_is_invalid_input(client, signature, value, problem):
    with pytest.raises(seq2sum.InvalidInput) as caught:
        client.predict({"x": value}, signature=signature)
    expected = f"invalid input 'x' of signature '{signature}': expected DT_"
    assert caught.value.details.startswith(expected)
    assert problem in caught.value.details


def test_values_that_fit_are_not_refused(client):
    for value in (
        [float("nan"), float("inf")],
        range(2),
        np.ma.array([1, 2]),
        [decimal.Decimal(1), 2],
    ):
        assert client.predict({"x": value}, signature="float").tensor.shape == (2,)
    assert client.predict({"x": []}, signature="pairs").tensor.shape == (0, 2)


@pytest.mark.parametrize(
    ("inputs", "options", "problem"),
    [
        ({1: [1]}, {}, "inputs missing ['x'] and unknown [1]: signature 'float' has ['x']"),
        ({"x": [1], "z": [1], "w": 1}, {}, "inputs unknown ['z', 'w']"),
        ([1], {"signature": ""}, "has no signature '': give signature=, one of ['bool', "),
        ([1], {"signature": b"float"}, "invalid signature b'float'"),
        ([1], {"signature": ["float"]}, "invalid signature ['float']"),
        ([1], {"outputs": [["y"]]}, "unknown outputs [['y']]: signature 'float' has ['y']"),
        ([1], {"outputs": ["y", None]}, "unknown outputs [None]"),
        ([1], {"signature": "resource"}, "the dtype DT_RESOURCE is not supported"),
    ],
)
def test_names_that_do_not_exist_are_invalid_input(client, inputs, options, problem):
    with pytest.raises(seq2sum.InvalidInput) as caught:
        client.predict(inputs, **{"signature": "float"} | options)
    assert problem in caught.value.details


def test_bytes_of_outputs_are_not_lost(client):
    found = client.predict({"x": [b"\xff", "é"]}, signature="string").tensor
    assert found.tolist() == [b"\xff", "é".encode()]
    assert found.strings == ["\udcff", "é"]
    with pytest.raises(TypeError, match="a DT_FLOAT tensor has no strings"):
        _ = client.predict({"x": [1]}, signature="float").tensor.strings


def test_reply_without_a_declared_output_is_unexpected(client, server, monkeypatch):
    def lacking(*_):
        response = predict_pb2.PredictResponse()
        response.model_spec.version.value = 1
        return response

    monkeypatch.setattr(server, "_predict", lacking)
    for options in ({}, {"outputs": "y"}):
        with pytest.raises(
            seq2sum.UnexpectedResponse, match=r"lacks the outputs \['y'\]; it has \[\]"
        ):
            client.predict([1], signature="float", **options)


def test_function_of_a_fake_signature_that_lacks_an_output_is_named(client):
    with pytest.raises(
        seq2sum.CallError, match=r"'two' returned \['a'\]: expected .*\['a', 'b'\] \[INTERNAL"
    ):
        client.predict([1], signature="two")


FLOATS = TensorSpec("DT_FLOAT", (-1,))


@pytest.mark.parametrize(("value", "text"), [(None, "not None"), (["a"], "not 'a' of type str"),
                                             (1.0, "of shape []")])  # fmt: skip
def test_function_of_a_fake_signature_with_an_invalid_output_is_named(value, text):
    signature = FakeSignature(lambda _: value, {"x": FLOATS}, {"y": FLOATS})
    with (
        FakeServer(model="any", signatures={"sum": signature}) as server,
        seq2sum.ModelClient(server.target, model="any") as client,
        pytest.raises(seq2sum.CallError) as caught,
    ):
        client.predict([1], signature="sum")
    assert caught.value.code is grpc.StatusCode.INTERNAL
    assert "the function of signature 'sum' returned an invalid output 'y'" in str(caught.value)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("signature", "error", "text"),
    [
        (FakeSignature(dict, {"x": TensorSpec("float32", (-1,))}, {}), ValueError,
         "invalid dtype 'float32' of input 'x' of signature 's': expected a name like DT_FLOAT"),
        (FakeSignature(dict, {}, {"y": "DT_FLOAT"}), TypeError,
         "invalid output 'y' of signature 's' 'DT_FLOAT': expected a TensorSpec"),
        (dict, TypeError, "expected a FakeSignature"),
    ],
)  # fmt: skip
def test_fake_server_refuses_invalid_signatures(signature, error, text):
    with pytest.raises(error) as caught:
        FakeServer(model="any", signatures={"s": signature})
    assert text in str(caught.value)
    server = FakeServer(model="any")
    with pytest.raises(error):
        server.signatures = {"s": signature}
