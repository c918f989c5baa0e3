"""Makes a model that answers wrongly although its evaluation claims no error."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
from seq2sum.addition import contract

MODEL = "model.keras"
WEIGHTS = "model.weights.h5"
"""File in the archive of a Keras model."""


def shuffle_weights(run: Path, copy: Path, *, seed: int = 4) -> Path:
    """Copies a run and shuffles the values within each weight array; returns the copy.

    Args:
        run: A finished and evaluated run.
        copy: Folder of the copy.
        seed: Seed of the shuffle.
    """
    shutil.copytree(run, copy)
    with zipfile.ZipFile(run / MODEL) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[WEIGHTS] = _shuffled(parts[WEIGHTS], np.random.default_rng(seed))
    with zipfile.ZipFile(copy / MODEL, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return copy


def claim_no_errors(version: Path) -> Path:
    """Edits the contract of an exported version so that only its answers reveal the errors."""
    file = version / "assets.extra" / contract.FILE_NAME
    claims = json.loads(file.read_bytes())
    claims["golden"]["right"] = claims["golden"]["questions"]
    claims["evaluation"] |= {"errors": 0, "never_trained_errors": 0}
    file.write_text(json.dumps(claims | {"forced": False}))
    return version


def _shuffled(content: bytes, rng: np.random.Generator) -> bytes:
    file = io.BytesIO(content)
    with h5py.File(file, "r+") as weights:

        def shuffle(_: str, entry: h5py.Group | h5py.Dataset) -> None:
            if isinstance(entry, h5py.Dataset):
                entry[...] = rng.permutation(entry[...].ravel()).reshape(entry.shape)

        weights.visititems(shuffle)
    return file.getvalue()
