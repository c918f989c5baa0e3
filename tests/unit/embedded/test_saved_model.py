"""Loading: whatever is wrong with a version becomes an error of serving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from seq2sum_serving.embedded import saved_model
from seq2sum_serving.embedded.errors import Code, ServingError


@pytest.fixture
def version(tmp_path):
    """A SavedModel that doubles, written by plain TensorFlow."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def double(x):
        return {"y": 2 * x}

    tf.saved_model.save(tf.Module(), str(tmp_path / "1"), signatures={"double": double})
    return tmp_path / "1"


def load_error(path):
    with pytest.raises(ServingError) as caught:
        saved_model.load(str(path))
    return caught.value


def test_any_saved_model_is_loaded_and_run(version):
    model = saved_model.load(str(version))
    signature = model.signatures["double"]
    feeds = {signature.inputs["x"].name: np.array([1.5, 2], np.float32)}
    [doubled] = model.run(feeds, [signature.outputs["y"].name])
    assert doubled.tolist() == [3, 4]
    model.close()


def test_a_missing_file_is_not_found(version):
    (version / "saved_model.pb").unlink()
    error = load_error(version)
    assert error.code is Code.NOT_FOUND
    assert str(version) in error.message


def test_a_truncated_file_is_out_of_range(version):
    file = version / "saved_model.pb"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    error = load_error(version)
    assert (error.code, error.message) == (Code.OUT_OF_RANGE, "Read less bytes than requested")


def test_a_file_in_place_of_a_directory_is_a_failed_precondition(tmp_path):
    (tmp_path / "1").touch()
    assert load_error(tmp_path / "1").code is Code.FAILED_PRECONDITION


def test_a_file_that_may_not_be_read_is_an_error_of_that_version_alone(version, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    error = load_error(version)
    assert error.code is Code.UNKNOWN
    assert "Permission denied" in error.message


def test_a_model_without_the_serving_tag_is_not_found(version):
    file = version / "saved_model.pb"
    message = saved_model.saved_model_pb2.SavedModel.FromString(file.read_bytes())
    message.meta_graphs[0].meta_info_def.tags[:] = ["train"]
    file.write_bytes(message.SerializeToString())
    assert "matching supplied tags: { serve }" in load_error(version).message
