"""Predict requests: for the signatures of the models, and for those that echo."""

from __future__ import annotations

from fuzz.generators import models, tensors
from fuzz.generators.chance import Chance
from fuzz.generators.models import Signature
from fuzz.inputs import Call
from tensorflow_serving.apis import model_pb2, predict_pb2

UNKNOWN_NAMES = ("", "x", "y", "nope", "questions", "a,b", "ä", "x:0")
OTHER_VERSIONS = (0, -1, 5, 2**63 - 1, -(2**63))


def any_signature(chance: Chance) -> Call:
    """For any signature, also the odd ones."""
    signature = chance.choice(models.signatures())
    return call(request(chance, signature))


def echo(chance: Chance) -> Call:
    """For one that sends its input back."""
    chosen = [
        one
        for one in models.signatures()
        if one.name.startswith("echo_") or one.name.endswith("_string") or "types" in one.name
    ]
    return call(request(chance, chance.choice(chosen), steady=True))


def call(message: predict_pb2.PredictRequest) -> Call:
    return Call("Predict", message.SerializeToString(deterministic=True))


def request(
    chance: Chance, signature: Signature, *, steady: bool = False
) -> predict_pb2.PredictRequest:
    """For one signature; with a small chance wrong.

    Args:
        steady: Whether only the tensors may be wrong.
    """
    found = predict_pb2.PredictRequest()
    fill_spec(chance, found.model_spec, signature.model, signature.name, steady=steady)
    rows = chance.randint(0, 4)
    for tensor in signature.inputs:
        shape = tensor.shape
        if shape is not None:
            rows = rows if steady or not chance.one_in(20) else chance.randint(0, 4)
            shape = tuple(rows if size < 0 else size for size in shape)
        found.inputs[tensor.alias].CopyFrom(tensors.tensor(chance, tensor.dtype, shape))
    if not steady and chance.one_in(6):
        misname(chance, found)
    if not steady and chance.one_in(4):
        names = [tensor.alias for tensor in signature.outputs]
        found.output_filter.extend(chance.some([*names, *names, *UNKNOWN_NAMES]))
    return found


def fill_spec(
    chance: Chance, spec: model_pb2.ModelSpec, model: str, signature: str, *, steady: bool = False
) -> None:
    """Names the model, and sometimes a version, a label, or something unknown."""
    spec.name, spec.signature_name = model, signature
    if steady:
        return
    if chance.one_in(50):
        spec.name = chance.choice(UNKNOWN_NAMES)
    if chance.one_in(50):
        spec.signature_name = chance.choice((*UNKNOWN_NAMES, "x" * 2000, chance.text_value()))
    if chance.one_in(8):
        known = models.VERSIONS[model]
        spec.version.value = chance.choice((*known * 4, *OTHER_VERSIONS))
    elif chance.one_in(8):
        spec.version_label = chance.choice((*models.LABELS.get(model, ()), *UNKNOWN_NAMES))


def misname(chance: Chance, found: predict_pb2.PredictRequest) -> None:
    """Drops, adds or renames an input."""
    names = sorted(found.inputs)
    if names and not chance.one_in(3):
        lost = chance.choice(names)
        if chance.one_in(2):
            found.inputs[chance.choice(UNKNOWN_NAMES)].CopyFrom(found.inputs[lost])
        del found.inputs[lost]
    else:
        extra = tensors.tensor(chance, chance.choice(list(tensors.FIELDS)), None)
        found.inputs[chance.choice(UNKNOWN_NAMES)].CopyFrom(extra)
