"""Predict requests for all signatures of the models, and for those that echo."""

from __future__ import annotations

from fuzz.generators import models, tensors
from fuzz.generators.models import Signature
from fuzz.generators.seeded_random import SeededRandom
from fuzz.inputs import Call
from tensorflow_serving.apis import model_pb2, predict_pb2

UNKNOWN_NAMES = ("", "x", "y", "nope", "questions", "a,b", "ä", "x:0")
OTHER_VERSIONS = (0, -1, 5, 2**63 - 1, -(2**63))


def any_signature(rng: SeededRandom) -> Call:
    """Makes a request for any signature, including unusual ones."""
    signature = rng.choice(models.signatures())
    return call(request(rng, signature))


def echo(rng: SeededRandom) -> Call:
    """Makes a request for a signature that returns its input."""
    chosen = [
        known
        for known in models.signatures()
        if known.name.startswith("echo_") or known.name.endswith("_string") or "types" in known.name
    ]
    return call(request(rng, rng.choice(chosen), only_tensors=True))


def call(message: predict_pb2.PredictRequest) -> Call:
    return Call("Predict", message.SerializeToString(deterministic=True))


def request(
    rng: SeededRandom, signature: Signature, *, only_tensors: bool = False
) -> predict_pb2.PredictRequest:
    """Makes a request for one signature; with a small probability it is wrong.

    Args:
        rng: Source of choices.
        signature: The signature.
        only_tensors: Whether only the tensors may be wrong.
    """
    found = predict_pb2.PredictRequest()
    fill_spec(rng, found.model_spec, signature.model, signature.name, only_tensors=only_tensors)
    rows = rng.randint(0, 4)
    for tensor in signature.inputs:
        shape = tensor.shape
        if shape is not None:
            rows = rows if only_tensors or not rng.one_in(20) else rng.randint(0, 4)
            shape = tuple(rows if size < 0 else size for size in shape)
        found.inputs[tensor.alias].CopyFrom(tensors.tensor(rng, tensor.dtype, shape))
    if not only_tensors and rng.one_in(6):
        change_names(rng, found)
    if not only_tensors and rng.one_in(4):
        names = [tensor.alias for tensor in signature.outputs]
        found.output_filter.extend(rng.some([*names, *names, *UNKNOWN_NAMES]))
    return found


def fill_spec(
    rng: SeededRandom,
    spec: model_pb2.ModelSpec,
    model: str,
    signature: str,
    *,
    only_tensors: bool = False,
) -> None:
    """Sets the model, and sometimes a version, a label, or an unknown name."""
    spec.name, spec.signature_name = model, signature
    if only_tensors:
        return
    if rng.one_in(50):
        spec.name = rng.choice(UNKNOWN_NAMES)
    if rng.one_in(50):
        spec.signature_name = rng.choice((*UNKNOWN_NAMES, "x" * 2000, rng.text_value()))
    if rng.one_in(8):
        known = models.VERSIONS[model]
        spec.version.value = rng.choice((*known * 4, *OTHER_VERSIONS))
    elif rng.one_in(8):
        spec.version_label = rng.choice((*models.LABELS.get(model, ()), *UNKNOWN_NAMES))


def change_names(rng: SeededRandom, found: predict_pb2.PredictRequest) -> None:
    """Drops, adds or renames an input."""
    names = sorted(found.inputs)
    if names and not rng.one_in(3):
        dropped = rng.choice(names)
        if rng.one_in(2):
            found.inputs[rng.choice(UNKNOWN_NAMES)].CopyFrom(found.inputs[dropped])
        del found.inputs[dropped]
    else:
        extra = tensors.tensor(rng, rng.choice(list(tensors.FIELDS)), None)
        found.inputs[rng.choice(UNKNOWN_NAMES)].CopyFrom(extra)
