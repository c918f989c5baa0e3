"""The server's process imports parts of TensorFlow, and lacks nothing that models need."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest
import tensorflow as tf
from seq2sum_serving.embedded import partial_tensorflow
from tensorflow.python.framework import kernels

pytestmark = pytest.mark.tensorflow

CPU = "CPU"
"""Compiling devices register kernels only when a graph runs, as other tests of this process do."""
NOT_NEEDED = (
    "keras",
    "tensorboard",
    "tensorflow._api",
    "tensorflow.lite",
    "tensorflow.python.data",
)
REPORT = """
import json, sys
from seq2sum_serving.embedded import partial_tensorflow
installed = partial_tensorflow.install()
from seq2sum_serving.embedded import server
from seq2sum_serving.embedded.inference import tensorflow_parts
from tensorflow.python.eager import context
from tensorflow.python.framework import kernels
print(json.dumps({
    "installed": installed,
    "again": partial_tensorflow.install(),
    "modules": sorted(sys.modules),
    "kernels": [[k.op, k.device_type] for k in kernels.get_all_registered_kernels().kernel],
    "eager": context.executing_eagerly(),
}))
"""


@pytest.fixture(scope="module")
def report():
    """A separate process, because this one has imported all of TensorFlow."""
    return json.loads(subprocess.check_output([sys.executable, "-c", REPORT], text=True))


def test_server_imports_only_parts(report):
    assert report["installed"]
    assert not report["again"]
    assert "tensorflow.python.client.session" in report["modules"]
    assert [name for name in NOT_NEEDED if name in report["modules"]] == []
    assert report["eager"]


def test_all_operators_have_their_kernels(report):
    """The exception belongs to TensorFlow Lite."""
    whole = [k.op for k in kernels.get_all_registered_kernels().kernel if k.device_type == CPU]
    parts = [operator for operator, device in report["kernels"] if device == CPU]
    lacking = Counter(whole) - Counter(parts)
    assert lacking.keys() <= {"AudioMicrofrontend"}
    assert len(parts) > 1000


def test_whole_package_stays_if_it_is_imported():
    assert not partial_tensorflow.install()
    assert sys.modules["tensorflow"] is tf


@pytest.fixture
def not_imported(monkeypatch):
    monkeypatch.delenv("TF2_BEHAVIOR")
    monkeypatch.delitem(sys.modules, "tensorflow")


@pytest.mark.usefixtures("not_imported")
def test_whole_package_is_imported_for_plugins(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_PLUGGABLE_DEVICE_LIBRARY_PATH", "plugin.so")
    assert not partial_tensorflow.install()
    monkeypatch.delenv("TF_PLUGGABLE_DEVICE_LIBRARY_PATH")
    (tmp_path / "tensorflow-plugins").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not partial_tensorflow.install()
    assert "tensorflow" not in sys.modules


def test_missing_package_is_left_to_its_import(monkeypatch):
    monkeypatch.setattr(partial_tensorflow, "PACKAGE", "missing_tensorflow")
    assert not partial_tensorflow.install()
    assert "missing_tensorflow" not in sys.modules
