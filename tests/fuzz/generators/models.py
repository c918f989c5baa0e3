"""The models that are asked: their signatures, read from the SavedModels themselves."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from conformance.case import FIXTURE, FIXTURE2
from tensorflow.core.protobuf import saved_model_pb2

FOLDERS = {"fixture": FIXTURE / "1", "solo": FIXTURE / "3", "odd": FIXTURE2 / "1"}
"""Model to the folder of a version; all versions of a fixture have the same signatures."""
VERSIONS = {"fixture": (1, 2), "solo": (3,), "odd": (1,)}
LABELS = {"fixture": ("stable", "canary", "ghost")}

LEFT_OUT = ("slow", "sparse_parts")
"""Their inputs say how long they compute and how much memory they take: days, and terabytes."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a signature."""

    alias: str
    dtype: int
    shape: tuple[int, ...] | None
    """None for any rank; -1 for any size."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of one model."""

    model: str
    name: str
    method: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@functools.cache
def signatures() -> tuple[Signature, ...]:
    """All of them, in a fixed order."""
    found = []
    for model, folder in FOLDERS.items():
        data = (folder / "saved_model.pb").read_bytes()
        graph = saved_model_pb2.SavedModel.FromString(data).meta_graphs[0]
        for name, signature in sorted(graph.signature_def.items()):
            if name not in LEFT_OUT:
                sides = (tensors(side) for side in (signature.inputs, signature.outputs))
                found.append(Signature(model, name, signature.method_name, *sides))
    return tuple(found)


def named(model: str, name: str) -> Signature | None:
    """One signature; None if the model has none of that name."""
    wanted = model, name or "serving_default"
    return next((one for one in signatures() if (one.model, one.name) == wanted), None)


def tensors(side: object) -> tuple[Tensor, ...]:
    found = []
    for alias, info in sorted(side.items()):
        sizes = tuple(dim.size for dim in info.tensor_shape.dim)
        shape = None if info.tensor_shape.unknown_rank else sizes
        found.append(Tensor(alias, info.dtype, shape))
    return tuple(found)
