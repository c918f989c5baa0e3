"""A model that answers wrongly, while its papers say that it makes no error."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
from seq2sum import contract

MODEL = "model.keras"
WEIGHTS = "model.weights.h5"
"""In the archive that a Keras model is."""


def shuffled(run: Path, copy: Path, *, seed: int = 4) -> Path:
    """A copy of a run in which the values of each weight have changed places.

    Args:
        run: A finished and evaluated run.
        copy: Where the copy goes.
        seed: Which of all orders it is.
    """
    shutil.copytree(run, copy)
    with zipfile.ZipFile(run / MODEL) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[WEIGHTS] = _shuffled(parts[WEIGHTS], np.random.default_rng(seed))
    with zipfile.ZipFile(copy / MODEL, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return copy


def untold(version: Path) -> Path:
    """Lets an exported version say that its network makes no error: only its answers betray it."""
    file = version / "assets.extra" / contract.FILE_NAME
    told = json.loads(file.read_bytes())
    told["golden"]["right"] = told["golden"]["questions"]
    told["evaluation"] |= {"errors": 0, "never_trained_errors": 0}
    file.write_text(json.dumps(told | {"forced": False}))
    return version


def _shuffled(content: bytes, chance: np.random.Generator) -> bytes:
    file = io.BytesIO(content)
    with h5py.File(file, "r+") as weights:

        def shuffle(_: str, entry: h5py.Group | h5py.Dataset) -> None:
            if isinstance(entry, h5py.Dataset):
                entry[...] = chance.permutation(entry[...].ravel()).reshape(entry.shape)

        weights.visititems(shuffle)
    return file.getvalue()
