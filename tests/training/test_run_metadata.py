"""Metadata of a run: package versions, also if tensorflow-cpu provides TensorFlow."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest
from seq2sum_training import run_metadata


def installed(**versions):
    """Returns a fake `importlib.metadata.version` that knows these distributions only."""

    def version(name):
        try:
            return versions[name.replace("-", "_")]
        except KeyError:
            raise PackageNotFoundError(name) from None

    return version


OTHERS = {"seq2sum_training": "0.1.0", "seq2sum": "0.1.0", "keras": "3.1", "numpy": "2.0"}


def test_provenance_names_tensorflow_whatever_its_distribution(monkeypatch):
    monkeypatch.setattr(run_metadata, "version", installed(tensorflow_cpu="2.21.0", **OTHERS))
    found = run_metadata.provenance()
    assert found["tensorflow"] == "2.21.0"
    assert set(run_metadata.PACKAGES) <= set(found)


def test_a_missing_package_is_an_error(monkeypatch):
    monkeypatch.setattr(run_metadata, "version", installed(tensorflow="2.21.0"))
    with pytest.raises(PackageNotFoundError):
        run_metadata.provenance()
