"""Runs of a loaded SavedModel: names, dtypes, shapes that numpy cannot represent, errors."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.inference import flat_tensor, saved_model, tensors
from support import saved_models
from support.saved_models import run_signature
from support.serving_errors import refusal
from tensorflow.core.framework import tensor_pb2

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def odd():
    model = saved_model.load(str(saved_models.FIXTURE2))
    yield model
    model.close()


@pytest.fixture(scope="module")
def recorded():
    model = saved_model.load(str(saved_models.FIXTURE / "1"))
    yield model
    model.close()


@pytest.fixture(scope="module")
def rare(tmp_path_factory):
    """A model with outputs and an input that numpy cannot represent."""
    path = str(tmp_path_factory.mktemp("rare") / "1")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        tf.reshape(x, [-1] + [1] * 99, name="wide")
        tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], name="resource")
        v = tf.compat.v1.placeholder(tf.variant, [], name="v")
        tf.identity(v, name="variant")
        builder = tf.compat.v1.saved_model.Builder(path)
        builder.add_meta_graph_and_variables(session, ["serve"])
        builder.save()
    model = saved_model.load(path)
    yield model
    model.close()


def texts(*values):
    return np.array(values, object)


def tensor_names(model, signature):
    """Names of the input and output tensors of a signature."""
    sides = model.signatures[signature].inputs, model.signatures[signature].outputs
    return [[info.name for info in side.values()] for side in sides]


@pytest.mark.parametrize("text", [b"a\0", b"\0\0", b"\0a\0\0", b"\xff\0", b""])
def test_scalar_strings_keep_their_nul_bytes(odd, text):
    scalar = np.array(text, object)
    assert run_signature(odd, "scalar_string", "out_bytes", scalar) == text
    assert run_signature(odd, "first_string", "first", texts(text, b"b")) == text


def not_in_graph(name):
    return Code.INVALID_ARGUMENT, (
        f"Tensor {name}, specified in either feed_devices or fetch_devices was not found in the "
        "Graph"
    )


def no_such_output(node, kind, port):
    return Code.OUT_OF_RANGE, (
        f"Node '{node}' (type: '{kind}', num of outputs: 1) does not have output {port}"
    )


@pytest.mark.parametrize(
    ("signature", "error"),
    [
        ("lost_input", not_in_graph("nothere:0")),
        ("lost_output", not_in_graph("nothere:0")),
        ("lost_output_of_two", not_in_graph("nothere:0")),
        ("empty_name", not_in_graph(":0")),
        ("empty_input_name", not_in_graph(":0")),
        ("odd_name", not_in_graph("here y:0:0")),
        ("ragged_out", not_in_graph(":0")),
        ("sparse_in", not_in_graph(":0")),
        ("lost_port", no_such_output("here_y", "Identity", 7)),
        ("lost_input_port", no_such_output("here_x", "Placeholder", 3)),
        ("control_name", no_such_output("here_y", "Identity", -1)),
    ],
)
def test_names_missing_from_the_graph_are_refused_with_tensorflows_error(odd, signature, error):
    feeds, fetches = tensor_names(odd, signature)
    arrays = dict.fromkeys(feeds, np.zeros(1, np.float32))
    for _ in range(2):  # a failure is not cached
        assert refusal(odd.run, arrays, fetches) == error


def test_feeding_a_tensor_under_two_names_is_refused(odd):
    array = np.zeros(1, np.float32)
    assert refusal(odd.run, {"here_x": array, "here_x:0": array}, ["here_y:0"]) == (
        Code.INVALID_ARGUMENT,
        'Endpoint "here_x:0" fed more than once.',
    )


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_a_run_without_outputs_is_refused_before_its_values_are_checked(odd, dtype):
    assert refusal(odd.run, {"twice_x:0": np.zeros(1, dtype)}, []) == (
        Code.INVALID_ARGUMENT,
        "Must specify at least one target to fetch or execute.",
    )


def test_names_without_a_port_mean_the_first_output(odd):
    [y] = odd.run({"here_x": np.array([2], np.float32)}, ["here_y"])
    assert y.tolist() == [2]


@pytest.mark.parametrize("shape", [(1,) * 65, (2,) + (1,) * 253, (0, 2**40, 2**40)])
@pytest.mark.parametrize(
    ("dtype", "value"), [("float32", 1.5), ("string", b"a\0"), ("half", 2.5), ("int8", -3)]
)
def test_shapes_that_numpy_cannot_represent_pass_through_the_graph(odd, shape, dtype, value):
    count = 0 if 0 in shape else shape[0]
    values = np.empty(count, {"string": object, "half": np.float16}.get(dtype, dtype))
    values[:] = value
    fed = flat_tensor.reshape(values, shape)
    for _ in range(2):
        [y] = odd.run({f"{dtype}_x:0": fed}, [f"{dtype}_y:0"])
        assert y.shape == shape
        assert y.dtype == values.dtype
        assert y.ravel().tolist() == [value] * count


def test_output_shapes_that_numpy_cannot_represent_are_returned(rare):
    for _ in range(2):
        [y] = rare.run({"x:0": np.ones(3, np.float32)}, ["wide:0"])
        assert y.shape == (3,) + (1,) * 99
        assert y.ravel().tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", ["resource", "variant"])
def test_resources_and_variants_are_refused(rare, kind):
    opaque = tensors.decode(tensor_pb2.TensorProto(dtype=f"DT_{kind.upper()}"))
    one = np.ones(1, np.float32)
    assert refusal(rare.run, {}, [f"{kind}:0"]) == (
        Code.UNIMPLEMENTED,
        f"{kind}:0: a {kind} cannot be fetched",
    )
    assert refusal(rare.run, {"x:0": opaque}, ["wide:0"]) == (
        Code.INVALID_ARGUMENT,
        f"Expects arg[0] to be float but {kind} is provided",
    )
    assert refusal(rare.run, {"v:0": one, "x:0": one}, ["wide:0"]) == (
        Code.INVALID_ARGUMENT,
        "Expects arg[0] to be variant but float is provided",
    )


def test_feeding_a_variant_is_refused(rare):
    variant = tensors.decode(tensor_pb2.TensorProto(dtype="DT_VARIANT"))
    feeds = {"v:0": variant, "x:0": np.ones(1, np.float32)}
    assert refusal(rare.run, feeds, ["wide:0"]) == (
        Code.UNIMPLEMENTED,
        "arg[0]: a variant cannot be fed",
    )


def test_runs_with_shapes_that_numpy_cannot_represent_have_tensorflows_errors(odd):
    fed = flat_tensor.reshape(texts(b"x"), (1,) * 65)
    code, message = refusal(odd.run, {"parse_s:0": fed}, tensor_names(odd, "parse")[1])
    assert code is Code.INVALID_ARGUMENT
    assert "scalar" in message


def test_errors_keep_the_bytes_that_they_quote_from_an_input(odd):
    feeds = {"examples:0": texts(b"\xffab")}
    code, message = refusal(odd.run, feeds, tensor_names(odd, "regress")[1])
    assert code is Code.INVALID_ARGUMENT
    assert message.startswith("Could not parse example input, value: '\udcffab'")


def test_dtypes_are_not_cast(recorded):
    signature = recorded.signatures["matrix"]
    feeds = {
        signature.inputs["x"].name: np.zeros([1, 3]),
        signature.inputs["y"].name: np.zeros([1], np.int32),
    }
    assert refusal(recorded.run, feeds, [signature.outputs["z"].name]) == (
        Code.INVALID_ARGUMENT,
        "Expects arg[0] to be float but double is provided",
    )


def test_errors_of_operations_keep_their_code_and_message(recorded):
    negative = np.array([-1], np.float32)
    code, message = refusal(run_signature, recorded, "fails", "y", negative)
    assert code is Code.INVALID_ARGUMENT
    assert message.startswith("assertion failed: [x must not be negative]")


def test_fetching_the_init_op_is_refused(recorded):
    code, message = refusal(recorded.run, {}, tensor_names(recorded, "__saved_model_init_op")[1])
    assert code is Code.OUT_OF_RANGE
    assert "does not have output 0" in message


def test_a_tensor_may_be_fetched_twice(recorded):
    signature = recorded.signatures["total"]
    name = signature.outputs["sum"].name
    feeds = {signature.inputs["x"].name: np.array([1, 2], np.float32)}
    assert recorded.run(feeds, [name, name]) == [3, 3]


def test_a_run_ends_at_its_timeout(recorded):
    steps = np.array([10**6], np.int32)
    assert refusal(run_signature, recorded, "slow", "done", steps, timeout=0.1) == (
        Code.DEADLINE_EXCEEDED,
        "Timed out waiting for notification",
    )
    assert run_signature(recorded, "slow", "done", np.array([1], np.int32), timeout=60) == [1]
