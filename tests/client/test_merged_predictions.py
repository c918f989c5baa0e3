"""Concurrent Predicts of any model share calls, if their tensors have rows."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
import seq2sum
from hypothesis import given, settings
from hypothesis import strategies as st
from seq2sum import TensorSpec, _predict_calls
from seq2sum._dtypes import DTYPES
from seq2sum._merged_predictions import MERGING, mergeable
from seq2sum._nested_lists import InvalidValue
from seq2sum._options import CallTarget
from seq2sum._prediction import Prediction
from seq2sum._servable import Servable
from seq2sum._tensor_decoding import tensor
from seq2sum._versions import ModelMetadata, SignatureSpec
from seq2sum.testing import FakeServer, FakeSignature
from support.both_clients import MODEL_KINDS

TARGET = CallTarget(Servable("any"))
FLOATS, STRINGS = TensorSpec("DT_FLOAT", (-1,)), TensorSpec("DT_STRING", (-1,))


def prepare(inputs, specs, outputs=None):
    signature = SignatureSpec(specs, outputs or specs)
    metadata = ModelMetadata(1, {"serving_default": signature})
    return _predict_calls.predict(inputs, metadata)


def echo(prepared):
    """Returns a prediction with the inputs as its outputs."""
    inputs = prepared.request.inputs
    return Prediction({name: tensor(inputs[name], name) for name in sorted(inputs)}, 1)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_each_request_gets_its_rows_for_every_dtype(data):
    dtypes = data.draw(st.lists(st.sampled_from(sorted(DTYPES)), min_size=1, max_size=3))
    inner = data.draw(st.lists(st.integers(1, 3), max_size=2))
    specs = {f"x{i}": TensorSpec(dtype, (-1, *inner)) for i, dtype in enumerate(dtypes)}
    value = {"DT_STRING": st.binary(max_size=5), "DT_BOOL": st.booleans()}

    def values(dtype, shape):
        if not shape:
            return data.draw(value.get(dtype, st.integers(0, 7)))
        return [values(dtype, shape[1:]) for _ in range(shape[0])]

    calls = []
    for rows in data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)):
        inputs = {name: values(spec.dtype, (rows, *inner)) for name, spec in specs.items()}
        calls.append(prepare(inputs, specs))
    requests = [mergeable(call, TARGET) for call in calls]
    assert len({request.group for request in requests}) == 1
    merged = MERGING.merged(calls)
    assert MERGING.results(calls, echo(merged)) == list(map(echo, calls))


def group(inputs, specs, target=TARGET, outputs=None):
    request = mergeable(prepare(inputs, specs, outputs), target)
    return None if request is None else request.group


def test_requests_of_different_shapes_or_targets_do_not_share_a_call():
    wide = {"x": TensorSpec("DT_FLOAT", (-1, -1))}
    same = group({"x": [[1, 2]]}, wide)
    assert same == group({"x": [[3, 4], [5, 6]]}, wide)
    assert same != group({"x": [[1, 2, 3]]}, wide)
    assert same != group({"x": [[1, 2]]}, {"x": TensorSpec("DT_INT32", (-1, -1))}, outputs=wide)
    assert same != group({"x": [[1, 2]]}, wide, CallTarget(Servable("any", 1)))
    assert same != group({"x": [[1, 2]]}, wide, CallTarget(Servable("any"), (("a", "b"),)))


@pytest.mark.parametrize(
    ("inputs", "specs", "outputs"),
    [
        ({"x": 1.0}, {"x": TensorSpec("DT_FLOAT", ())}, None),
        ({"x": [1.0]}, {"x": TensorSpec("DT_FLOAT", (1,))}, None),
        ({"x": [1.0]}, {"x": TensorSpec("DT_FLOAT", None)}, None),
        ({"x": []}, {"x": FLOATS}, None),
        ({"x": [1.0, 2.0], "y": [1.0]}, {"x": FLOATS, "y": FLOATS}, None),
        ({"x": [1.0]}, {"x": FLOATS}, {"total": TensorSpec("DT_FLOAT", ())}),
        ({}, {}, {"x": FLOATS}),
    ],
)
def test_requests_without_rows_are_not_merged(inputs, specs, outputs):
    assert group(inputs, specs, outputs=outputs) is None


def test_outputs_without_a_row_for_each_input_row_are_unexpected():
    calls = [prepare({"x": [1.0]}, {"x": FLOATS}) for _ in range(2)]
    with pytest.raises(seq2sum.UnexpectedResponse, match=r"shape \[1\] for 2 merged rows"):
        MERGING.results(calls, echo(calls[0]))


def doubled(inputs):
    if any(value < 0 for value in inputs["x"]):
        raise InvalidValue("negative")
    return [2 * value for value in inputs["x"]]


@pytest.fixture
def server():
    signature = FakeSignature(doubled, {"x": FLOATS}, {"y": FLOATS})
    with FakeServer(model="any", signatures={"serving_default": signature}) as server:
        yield server


def predict_concurrently(kind, server, values):
    """Returns the outcome of a call for each value, all of them made at once."""
    options = {"model": "any", "coalescing": seq2sum.Coalescing(max_delay=0.05)}
    if kind == "sync":
        with seq2sum.ModelClient(server.target, **options) as client:
            client.predict([0.0])

            def call(value):
                try:
                    return client.predict([value]).tensor.tolist()
                except seq2sum.Seq2SumError as error:
                    return error

            with ThreadPoolExecutor(len(values)) as pool:
                return list(pool.map(call, values))

    async def main():
        async with seq2sum.AsyncModelClient(server.target, **options) as client:
            await client.predict([0.0])
            calls = [client.predict([value]) for value in values]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            return [
                each if isinstance(each, Exception) else each.tensor.tolist() for each in outcomes
            ]

    return asyncio.run(main())


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_concurrent_calls_share_rpcs(kind, server):
    server.delay = 0.02
    found = predict_concurrently(kind, server, list(range(60)))
    assert found == [[2 * value] for value in range(60)]
    assert len(server.calls) < 20


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_a_bad_row_fails_only_its_own_call(kind, server):
    server.delay = 0.02
    found = predict_concurrently(kind, server, [1, 2, -1, 3])
    assert isinstance(found[2], seq2sum.InvalidRequest)
    assert found[:2] + found[3:] == [[2], [4], [6]]
