"""Loading a SavedModel: sessions, metrics, memory, and errors of broken versions."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference import saved_model
from seq2sum_serving.embedded.monitoring import metrics
from support import saved_models
from support.saved_models import run_signature
from tensorflow.core.protobuf import config_pb2, saved_model_pb2

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return saved_models.export(tmp_path_factory.mktemp("exported") / "1")


@pytest.fixture
def version(good, tmp_path):
    """A copy that a test may change."""
    return Path(shutil.copytree(good, tmp_path / "1"))


def load_error(path, **options):
    with pytest.raises(ServingError) as caught:
        saved_model.load(str(path), **options)
    return caught.value


def attempts(path, status):
    return metrics.LOAD_ATTEMPT_COUNT.labels(str(path), status).value


def test_load_restores_variables_assets_and_tables(good):
    model = saved_model.load(str(good))
    assert run_signature(model, "multiply", "y", np.array([1.5, 2], np.float32)) == [4.5, 6]
    words = np.array([b"two", b"none"], object)
    assert run_signature(model, "look_up", "line", words) == [2, -1]
    model.close()


def test_metrics_count_a_load_and_its_stages(good):
    path = str(good)
    before = attempts(path, "success")
    saved_model.load(path).close()
    assert attempts(path, "success") == before + 1
    stages = {stage for loaded, stage in metrics.LOAD_LATENCY_BY_STAGE.cells() if loaded == path}
    assert stages == {"restore_graph", "init_graph"}


def test_load_reads_a_text_file(version):
    file = version / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    (version / "saved_model.pbtxt").write_text(text_format.MessageToString(message))
    file.unlink()
    model = saved_model.load(str(version))
    assert run_signature(model, "multiply", "y", np.array([1], np.float32)) == [3]
    model.close()


def test_a_directory_without_a_model_is_not_found_and_not_counted(tmp_path):
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


def test_an_unreadable_file_is_permission_denied(version, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    error = load_error(version)
    assert error.code is Code.PERMISSION_DENIED
    assert error.message == f"{version / 'saved_model.pb'}; Permission denied"


@pytest.mark.parametrize(
    ("tags", "requested"),
    [(["train"], ["serve"]), (["serve"], ["gpu"]), (["serve", "gpu"], ["serve"]), ([], ["serve"])],
)
def test_tags_must_match_exactly(version, tags, requested):
    def replace_tags(model):
        model.meta_graphs[0].meta_info_def.tags[:] = tags

    saved_models.edit(version, replace_tags)
    error = load_error(version, tags=requested)
    assert error.code is Code.NOT_FOUND
    assert error.message.startswith(
        f"Could not find meta graph def matching supplied tags: {{ {requested[0]} }}. To inspect"
    )


def test_missing_variables_raise_tensorflows_error(version):
    (version / "variables" / "variables.data-00000-of-00001").unlink()
    assert load_error(version).code in (Code.NOT_FOUND, Code.DATA_LOSS, Code.FAILED_PRECONDITION)


def test_an_unknown_operation_raises_tensorflows_error(version):
    def misspell(model):
        model.meta_graphs[0].graph_def.node[0].op = "NoSuchOperation"

    saved_models.edit(version, misspell)
    error = load_error(version)
    assert error.code in (Code.NOT_FOUND, Code.INVALID_ARGUMENT)
    assert "NoSuchOperation" in error.message


@pytest.fixture
def new_graphs():
    """Counts the graphs that the test has left in memory, with automatic garbage collection off."""

    def graphs():
        return [each for each in gc.get_objects() if isinstance(each, tf.Graph)]

    gc.collect()
    before = len(graphs())
    gc.disable()
    yield lambda: len(graphs()) - before
    gc.enable()


def test_an_error_does_not_keep_the_graph_in_memory(version, new_graphs):
    (version / "variables" / "variables.data-00000-of-00001").unlink()
    error = load_error(version)
    assert new_graphs() == 0
    assert error


def test_close_frees_the_graph_without_a_garbage_collection(good, new_graphs):
    for _ in range(3):
        model = saved_model.load(str(good))
        run_signature(model, "multiply", "y", np.array([1], np.float32), timeout=10)
        model.close()
        del model
    assert new_graphs() == 0


def test_load_applies_the_session_config(good, monkeypatch):
    configs = []
    session = tf.compat.v1.Session

    def record(**options):
        configs.append(options["config"])
        return session(**options)

    monkeypatch.setattr(saved_model.tf, "Session", record)
    config = config_pb2.ConfigProto(intra_op_parallelism_threads=3)
    saved_model.load(str(good), session_config=config).close()
    assert configs[0].intra_op_parallelism_threads == 3
