"""The signatures of the fuzzed models, read from the SavedModels."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from conformance.case import FIXTURE, FIXTURE2
from tensorflow.core.protobuf import saved_model_pb2

FOLDERS = {"fixture": FIXTURE / "1", "solo": FIXTURE / "3", "odd": FIXTURE2 / "1"}
"""Folder of one version by model; all versions of a fixture have equal signatures."""
VERSIONS = {"fixture": (1, 2), "solo": (3,), "odd": (1,)}
LABELS = {"fixture": ("stable", "canary", "ghost")}

EXCLUDED = ("slow", "sparse_parts")
"""Their inputs set the duration and memory of the computation, which could be days or terabytes."""


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
    """Returns all signatures in a fixed order."""
    found = []
    for model, folder in FOLDERS.items():
        data = (folder / "saved_model.pb").read_bytes()
        graph = saved_model_pb2.SavedModel.FromString(data).meta_graphs[0]
        for name, signature in sorted(graph.signature_def.items()):
            if name not in EXCLUDED:
                sides = (tensors(side) for side in (signature.inputs, signature.outputs))
                found.append(Signature(model, name, signature.method_name, *sides))
    return tuple(found)


def find(model: str, name: str) -> Signature | None:
    """Returns one signature; None if the model lacks it."""
    key = model, name or "serving_default"
    found = (signature for signature in signatures() if (signature.model, signature.name) == key)
    return next(found, None)


def tensors(side: object) -> tuple[Tensor, ...]:
    found = []
    for alias, info in sorted(side.items()):
        sizes = tuple(dim.size for dim in info.tensor_shape.dim)
        shape = None if info.tensor_shape.unknown_rank else sizes
        found.append(Tensor(alias, info.dtype, shape))
    return tuple(found)
