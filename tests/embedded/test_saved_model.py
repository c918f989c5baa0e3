"""Loading and running: whatever is wrong with a version becomes an error of serving."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference import flat_tensor, saved_model, tensors
from seq2sum_serving.embedded.monitoring import metrics
from support import saved_models
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import config_pb2, saved_model_pb2


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return saved_models.export(tmp_path_factory.mktemp("exported") / "1")


@pytest.fixture
def version(good, tmp_path):
    """A copy that a test may break."""
    return Path(shutil.copytree(good, tmp_path / "1"))


@pytest.fixture(scope="module")
def odd():
    model = saved_model.load(str(saved_models.FIXTURE2))
    yield model
    model.close()


@pytest.fixture(scope="module")
def rare(tmp_path_factory):
    """Outputs, and one input, that numpy cannot represent."""
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


def load_error(path, **options):
    with pytest.raises(ServingError) as caught:
        saved_model.load(str(path), **options)
    return caught.value


def run(model, signature, output, array, **options):
    """Runs a signature that has one input."""
    found = model.signatures[signature]
    [feed] = found.inputs.values()
    [result] = model.run({feed.name: array}, [found.outputs[output].name], **options)
    return result.tolist()


def texts(*values):
    return np.array(values, object)


def attempts(path, status):
    return metrics.LOAD_ATTEMPT_COUNT.labels(str(path), status)._value.get()


def test_variables_assets_and_tables_are_there_after_loading(good):
    model = saved_model.load(str(good))
    assert run(model, "multiply", "y", np.array([1.5, 2], np.float32)) == [4.5, 6]
    assert run(model, "look_up", "line", texts(b"two", b"none")) == [2, -1]
    model.close()


@pytest.mark.parametrize("text", [b"a\0", b"\0\0", b"\0a\0\0", b"\xff\0", b""])
def test_scalar_strings_keep_their_nul_bytes(odd, text):
    fed = np.array(text, object)
    assert run(odd, "scalar_string", "out_bytes", fed) == text
    assert run(odd, "first_string", "first", texts(text, b"b")) == text


def found(model, signature):
    """Names of the tensors of a signature: inputs, outputs."""
    sides = model.signatures[signature].inputs, model.signatures[signature].outputs
    return [[info.name for info in side.values()] for side in sides]


def run_error(model, feeds, fetches):
    with pytest.raises(ServingError) as caught:
        model.run(feeds, fetches)
    return caught.value.code, caught.value.message


def lost(name):
    return Code.INVALID_ARGUMENT, (
        f"Tensor {name}, specified in either feed_devices or fetch_devices was not found in the "
        "Graph"
    )


@pytest.mark.parametrize(
    ("signature", "error"),
    [
        ("lost_input", lost("nothere:0")),
        ("lost_output", lost("nothere:0")),
        ("lost_output_of_two", lost("nothere:0")),
        ("empty_name", lost(":0")),
        ("empty_input_name", lost(":0")),
        ("odd_name", lost("here y:0:0")),
        ("ragged_out", lost(":0")),
        ("sparse_in", lost(":0")),
        (
            "lost_port",
            (
                Code.OUT_OF_RANGE,
                "Node 'here_y' (type: 'Identity', num of outputs: 1) does not have output 7",
            ),
        ),
        (
            "lost_input_port",
            (
                Code.OUT_OF_RANGE,
                "Node 'here_x' (type: 'Placeholder', num of outputs: 1) does not have output 3",
            ),
        ),
        (
            "control_name",
            (
                Code.OUT_OF_RANGE,
                "Node 'here_y' (type: 'Identity', num of outputs: 1) does not have output -1",
            ),
        ),
    ],
)
def test_names_that_the_graph_lacks_are_errors_in_tensorflows_words(odd, signature, error):
    feeds, fetches = found(odd, signature)
    for _ in range(2):  # a failure is not kept
        assert run_error(odd, dict.fromkeys(feeds, np.zeros(1, np.float32)), fetches) == error


def test_one_tensor_under_two_names_is_fed_more_than_once(odd):
    array = np.zeros(1, np.float32)
    assert run_error(odd, {"here_x": array, "here_x:0": array}, ["here_y:0"]) == (
        Code.INVALID_ARGUMENT,
        'Endpoint "here_x:0" fed more than once.',
    )


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_a_run_without_outputs_is_refused_before_its_values_are_looked_at(odd, dtype):
    assert run_error(odd, {"twice_x:0": np.zeros(1, dtype)}, []) == (
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
def test_shapes_that_numpy_cannot_represent_go_through_the_graph(odd, shape, dtype, value):
    count = 0 if 0 in shape else shape[0]
    kind = {"string": object, "half": np.float16}.get(dtype, dtype)
    fed = flat_tensor.reshape(
        np.full(count, value, kind) if value != b"a\0" else nuls(count), shape
    )
    for _ in range(2):
        [y] = odd.run({f"{dtype}_x:0": fed}, [f"{dtype}_y:0"])
        assert y.shape == shape
        assert y.dtype == kind
        assert y.ravel().tolist() == [value] * count


def nuls(count):
    array = np.empty(count, object)
    array[:] = b"a\0"
    return array


def test_output_shapes_that_numpy_cannot_represent_are_returned(rare):
    for _ in range(2):
        [y] = rare.run({"x:0": np.ones(3, np.float32)}, ["wide:0"])
        assert y.shape == (3,) + (1,) * 99
        assert y.ravel().tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", ["resource", "variant"])
def test_resources_and_variants_are_refused_in_a_word(rare, kind):
    opaque = tensors.decode(tensor_pb2.TensorProto(dtype=f"DT_{kind.upper()}"))
    one = np.ones(1, np.float32)
    assert run_error(rare, {}, [f"{kind}:0"]) == (
        Code.UNIMPLEMENTED,
        f"{kind}:0: a {kind} cannot be fetched",
    )
    assert run_error(rare, {"x:0": opaque}, ["wide:0"]) == (
        Code.INVALID_ARGUMENT,
        f"Expects arg[0] to be float but {kind} is provided",
    )
    assert run_error(rare, {"v:0": one, "x:0": one}, ["wide:0"]) == (
        Code.INVALID_ARGUMENT,
        "Expects arg[0] to be variant but float is provided",
    )


def test_a_variant_is_not_fed(rare):
    variant = tensors.decode(tensor_pb2.TensorProto(dtype="DT_VARIANT"))
    feeds = {"v:0": variant, "x:0": np.ones(1, np.float32)}
    assert run_error(rare, feeds, ["wide:0"]) == (
        Code.UNIMPLEMENTED,
        "arg[0]: a variant cannot be fed",
    )


def test_errors_of_runs_with_such_shapes_are_tensorflows(odd):
    fed = flat_tensor.reshape(texts(b"x"), (1,) * 65)
    code, message = run_error(odd, {"parse_s:0": fed}, found(odd, "parse")[1])
    assert code is Code.INVALID_ARGUMENT
    assert "scalar" in message


def test_errors_that_quote_bytes_of_an_input_keep_them(odd):
    code, message = run_error(odd, {"examples:0": texts(b"\xffab")}, found(odd, "regress")[1])
    assert code is Code.INVALID_ARGUMENT
    assert message.startswith("Could not parse example input, value: '\udcffab'")


def test_a_load_is_counted_with_its_stages(good):
    path = str(good)
    before = attempts(path, "success")
    saved_model.load(path).close()
    assert attempts(path, "success") == before + 1
    stages = {stage for of, stage in metrics.LOAD_LATENCY_BY_STAGE.cells() if of == path}
    assert stages == {"restore_graph", "init_graph"}


def test_a_text_file_is_a_saved_model_too(version):
    file = version / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    (version / "saved_model.pbtxt").write_text(text_format.MessageToString(message))
    file.unlink()
    model = saved_model.load(str(version))
    assert run(model, "multiply", "y", np.array([1], np.float32)) == [3]
    model.close()


def test_a_directory_without_a_model_is_not_found_and_no_attempt_to_load(tmp_path):
    error = load_error(tmp_path)
    assert error.code is Code.NOT_FOUND
    assert error.message == (
        "Specified file path does not appear to contain a SavedModel bundle "
        f"(should have a file called `saved_model.pb`)\nSpecified file path: {tmp_path}"
    )
    assert attempts(tmp_path, "fail") == 0


def test_a_truncated_file_is_out_of_range_and_counted(version):
    file = version / "saved_model.pb"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    error = load_error(version)
    assert (error.code, error.message) == (Code.OUT_OF_RANGE, "Read less bytes than requested")
    assert attempts(version, "fail") == 1


def test_a_file_that_may_not_be_read_is_an_error_of_that_version_alone(version, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    error = load_error(version)
    assert error.code is Code.PERMISSION_DENIED
    assert error.message == f"{version / 'saved_model.pb'}; Permission denied"


@pytest.mark.parametrize(
    ("there", "asked"),
    [(["train"], ["serve"]), (["serve"], ["gpu"]), (["serve", "gpu"], ["serve"]), ([], ["serve"])],
)
def test_the_tags_must_be_exactly_those_asked_for(version, there, asked):
    saved_models.edit(version, lambda model: model.meta_graphs[0].meta_info_def.ClearField("tags"))
    saved_models.edit(version, lambda model: model.meta_graphs[0].meta_info_def.tags.extend(there))
    error = load_error(version, tags=asked)
    assert error.code is Code.NOT_FOUND
    assert error.message.startswith(
        f"Could not find meta graph def matching supplied tags: {{ {asked[0]} }}. To inspect"
    )


def test_missing_variables_are_tensorflows_own_error(version):
    (version / "variables" / "variables.data-00000-of-00001").unlink()
    assert load_error(version).code in (Code.NOT_FOUND, Code.DATA_LOSS, Code.FAILED_PRECONDITION)


def test_an_operation_that_does_not_exist_is_tensorflows_own_error(version):
    def misspell(model):
        model.meta_graphs[0].graph_def.node[0].op = "NoSuchOperation"

    saved_models.edit(version, misspell)
    error = load_error(version)
    assert error.code in (Code.NOT_FOUND, Code.INVALID_ARGUMENT)
    assert "NoSuchOperation" in error.message


@pytest.fixture
def graphs_left():
    """Counts the graphs in memory that came in this test; nothing is collected meanwhile."""

    def graphs():
        return [found for found in gc.get_objects() if isinstance(found, tf.Graph)]

    gc.collect()
    before = len(graphs())
    gc.disable()
    yield lambda: len(graphs()) - before
    gc.enable()


def test_an_error_keeps_nothing_of_what_was_loaded(version, graphs_left):
    (version / "variables" / "variables.data-00000-of-00001").unlink()
    kept = load_error(version)
    assert graphs_left() == 0
    assert kept


def test_closing_frees_all_at_once_without_waiting_for_a_collection(good, graphs_left):
    for _ in range(3):
        model = saved_model.load(str(good))
        run(model, "multiply", "y", np.array([1], np.float32), timeout=10)
        model.close()
        del model
    assert graphs_left() == 0


def test_sessions_are_configured_as_asked(good, monkeypatch):
    seen = []
    session = tf.compat.v1.Session

    def remember(**options):
        seen.append(options["config"])
        return session(**options)

    monkeypatch.setattr(tf.compat.v1, "Session", remember)
    asked = config_pb2.ConfigProto(intra_op_parallelism_threads=3)
    saved_model.load(str(good), session_config=asked).close()
    assert seen[0].intra_op_parallelism_threads == 3


@pytest.fixture(scope="module")
def recorded():
    model = saved_model.load(str(saved_models.FIXTURE / "1"))
    yield model
    model.close()


def test_no_dtype_is_ever_cast(recorded):
    signature = recorded.signatures["matrix"]
    feeds = {
        signature.inputs["x"].name: np.zeros([1, 3]),
        signature.inputs["y"].name: np.zeros([1], np.int32),
    }
    with pytest.raises(ServingError) as caught:
        recorded.run(feeds, [signature.outputs["z"].name])
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == "Expects arg[0] to be float but double is provided"


def test_an_operation_that_raises_speaks_for_itself(recorded):
    with pytest.raises(ServingError) as caught:
        run(recorded, "fails", "y", np.array([-1], np.float32))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message.startswith("assertion failed: [x must not be negative]")


def test_the_initialization_has_no_output_to_fetch(recorded):
    signature = recorded.signatures["__saved_model_init_op"]
    with pytest.raises(ServingError) as caught:
        recorded.run({}, [info.name for info in signature.outputs.values()])
    assert caught.value.code is Code.OUT_OF_RANGE
    assert "does not have output 0" in caught.value.message


def test_one_tensor_may_be_fetched_twice(recorded):
    signature = recorded.signatures["total"]
    name = signature.outputs["sum"].name
    feeds = {signature.inputs["x"].name: np.array([1, 2], np.float32)}
    assert recorded.run(feeds, [name, name]) == [3, 3]


def test_a_run_ends_with_its_timeout(recorded):
    with pytest.raises(ServingError) as caught:
        run(recorded, "slow", "done", np.array([10**6], np.int32), timeout=0.1)
    assert caught.value.code is Code.DEADLINE_EXCEEDED
    assert caught.value.message == "Timed out waiting for notification"
    assert run(recorded, "slow", "done", np.array([1], np.int32), timeout=60) == [1]
