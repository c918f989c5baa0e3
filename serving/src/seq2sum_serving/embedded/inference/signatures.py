"""What all inference says of signatures: names of methods, and the one asked for."""

from __future__ import annotations

from typing import Any

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference.servable import Servable

DEFAULT_SIGNATURE = "serving_default"

PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


def name_of(spec: Any) -> str:
    """The signature that a ModelSpec names; nothing means the default one."""
    name: str = spec.signature_name
    return name or DEFAULT_SIGNATURE


def fill_model_spec(spec: Any, *, requested: Any, version: int) -> None:
    """Fills the ModelSpec of a reply: never with a label, always with a signature."""
    spec.name = requested.name
    spec.version.value = version
    spec.signature_name = name_of(requested)


def find(servable: Servable, name: str) -> Any:
    """The signature of this name, in the words that Classify and Regress have for its lack."""
    signature = servable.signatures.get(name)
    if signature is None:
        raise ServingError(Code.INVALID_ARGUMENT, f"No signature was found with the name: {name}")
    return signature
