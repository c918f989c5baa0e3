"""Paths, URIs and errors of files, as in TensorFlow."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.files import io_error, join, local_path, read_text_proto
from seq2sum_serving.embedded.model_config import read_model_config
from tensorflow_serving.config import model_server_config_pb2


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("/models/m", "/models/m"),
        ("models.config", "models.config"),
        ("file:/models", "file:/models"),
        ("file:///models/m", "/models/m"),
        ("file://localhost/models/m", "/models/m"),
        ("file:///models//./a/../m/", "/models/m"),
        ("file://", "/"),
        ("file:///modèle/模型", "/modèle/模型"),
    ],
)
def test_file_uri_is_a_local_path(name, path):
    assert local_path(name) == Path(path)
    assert local_path(name, "1", "x") == Path(path, "1", "x")


@pytest.mark.parametrize("name", ["gs://bucket/m", "FILE:///models", "s3://b", "a.b9://c"])
def test_other_file_systems_are_unimplemented(name):
    with pytest.raises(ServingError) as caught:
        local_path(name)
    assert caught.value.code is Code.UNIMPLEMENTED
    assert name in caught.value.message


def test_join_does_not_normalize():
    assert join("/models/m", "1") == "/models/m/1"
    assert join("file:///models/m/", " 4") == "file:///models/m/ 4"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOENT, Code.NOT_FOUND),
        (errno.EACCES, Code.PERMISSION_DENIED),
        (errno.ENOTDIR, Code.FAILED_PRECONDITION),
        (errno.ELOOP, Code.UNKNOWN),
        (errno.EMFILE, Code.RESOURCE_EXHAUSTED),
    ],
)
def test_io_error_has_tensorflows_code(number, code):
    error = io_error("/m", number)
    assert (error.code, error.message) == (code, f"/m; {os.strerror(number)}")


def test_io_error_replaces_bytes_that_are_not_utf_8():
    assert io_error("/m/\udcff", errno.ENOENT).message.encode() == (
        "/m/\N{REPLACEMENT CHARACTER}; No such file or directory".encode()
    )


def test_config_file_may_be_a_file_uri(tmp_path):
    file = tmp_path / "modèle.config"
    file.write_text("model_config_list {}")
    assert read_model_config(f"file://{file}").HasField("model_config_list")
    with pytest.raises(ServingError, match=r"^NOT_FOUND: file:///missing; No such file"):
        read_model_config("file:///missing")
    with pytest.raises(ServingError, match="scheme 'gs' not implemented"):
        read_text_proto("gs://b/c", model_server_config_pb2.ModelServerConfig())
