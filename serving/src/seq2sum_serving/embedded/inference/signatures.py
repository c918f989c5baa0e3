"""Signature names in requests and replies, and the method names of TensorFlow Serving."""

from __future__ import annotations

from typing import Any

from seq2sum_serving.embedded.errors import invalid_argument
from seq2sum_serving.embedded.inference.servable import Servable

DEFAULT_SIGNATURE = "serving_default"

PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


def name_of(spec: Any) -> str:
    """Returns the signature that a ModelSpec names, by default `serving_default`."""
    name: str = spec.signature_name
    return name or DEFAULT_SIGNATURE


def fill_model_spec(spec: Any, *, requested: Any, version: int) -> None:
    """Fills the ModelSpec of a reply: it always has a version and a signature, never a label."""
    spec.name = requested.name
    spec.version.value = version
    spec.signature_name = name_of(requested)


def find(servable: Servable, name: str) -> Any:
    """Returns a signature by name.

    Raises:
        ServingError: INVALID_ARGUMENT, with the message of Classify and Regress.
    """
    signature = servable.signatures.get(name)
    if signature is None:
        raise invalid_argument(f"No signature was found with the name: {name}")
    return signature
