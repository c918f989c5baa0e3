"""gRPC calls other than Predict, and malformed requests."""

from __future__ import annotations

from fuzz.generators import models, predict
from fuzz.generators.seeded_random import SeededRandom
from fuzz.inputs import Call
from google.protobuf.message import Message
from tensorflow.core.example import example_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    regression_pb2,
)

METHOD_NAMES = ("tensorflow/serving/classify", "tensorflow/serving/regress")
FEATURES = ("x", "n", "s", "", "ä", "other")
BYTE_METHODS = (
    "Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata", "GetModelStatus",
)  # fmt: skip
"""Methods that get changed or random bytes; a HandleReloadConfigRequest could unload the models."""
RELOAD = "HandleReloadConfigRequest"
INVALID_TAG = b"\xff"
"""A tag that no message has, so that the bytes after it are not a request."""


def examples(rng: SeededRandom) -> Call:
    """Makes a Classify, Regress or MultiInference call."""
    method = rng.choice(("Classify", "Classify", "Regress", "Regress", "MultiInference"))
    if method == "MultiInference":
        return call(method, multi_inference(rng))
    kind = {
        "Classify": classification_pb2.ClassificationRequest,
        "Regress": regression_pb2.RegressionRequest,
    }[method]
    request = kind()
    signature = examples_signature(rng, None if rng.one_in(8) else method.lower())
    predict.fill_spec(rng, request.model_spec, signature.model, signature.name)
    fill_input(rng, request.input)
    return call(method, request)


def multi_inference(rng: SeededRandom) -> inference_pb2.MultiInferenceRequest:
    request = inference_pb2.MultiInferenceRequest()
    model = rng.choice(list(models.FOLDERS))
    for _ in range(rng.randint(0, 3)):
        signature = examples_signature(rng, None, model)
        task = request.tasks.add()
        predict.fill_spec(rng, task.model_spec, model, signature.name)
        right = signature.method if signature.method in METHOD_NAMES else METHOD_NAMES[0]
        task.method_name = rng.choice((right,) * 6 + (*METHOD_NAMES, "", "predict"))
    fill_input(rng, request.input)
    return request


def examples_signature(
    rng: SeededRandom, method: str | None, model: str | None = None
) -> models.Signature:
    """Chooses a signature that takes examples, for one method or any."""
    chosen = [
        known
        for known in models.signatures()
        if known.method.endswith(method or ("classify", "regress")) and model in (None, known.model)
    ]
    return rng.choice(chosen if not rng.one_in(20) else models.signatures())


def fill_input(rng: SeededRandom, filled: input_pb2.Input) -> None:
    if rng.one_in(5):
        filled.example_list_with_context.examples.extend(several(rng))
        filled.example_list_with_context.context.CopyFrom(example(rng))
    elif not rng.one_in(30):
        filled.example_list.examples.extend(several(rng))


def several(rng: SeededRandom) -> list[example_pb2.Example]:
    return [example(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))]


def example(rng: SeededRandom) -> example_pb2.Example:
    """Makes an example with features of any kind; mostly those that the models read."""
    found = example_pb2.Example()
    if not rng.one_in(10):
        found.features.feature["x"].float_list.value.append(rng.choice((0, 1.5, -3, 1e38)))
        found.features.feature["n"].int64_list.value.append(rng.randint(-9, 9))
        found.features.feature["s"].bytes_list.value.append(rng.bytes_value())
    if rng.one_in(4):
        feature = found.features.feature[rng.choice(FEATURES)]
        match rng.randrange(4):
            case 0:
                feature.bytes_list.value.extend([rng.bytes_value(), rng.bytes_value()])
            case 1:
                feature.int64_list.value.extend([2**63 - 1, -(2**63)][: rng.randint(0, 2)])
            case 2:
                feature.float_list.value.extend([1.0, 2.0][: rng.randint(0, 2)])
            case 3:
                feature.Clear()
    return found


def lookups(rng: SeededRandom) -> Call:
    """Makes a GetModelStatus or GetModelMetadata call."""
    signature = rng.choice(models.signatures())
    if rng.one_in(2):
        status = get_model_status_pb2.GetModelStatusRequest()
        predict.fill_spec(rng, status.model_spec, signature.model, signature.name)
        return call("GetModelStatus", status)
    metadata = get_model_metadata_pb2.GetModelMetadataRequest()
    predict.fill_spec(rng, metadata.model_spec, signature.model, signature.name)
    fields = rng.choice((["signature_def"],) * 6 + ([], ["", "signature_def"], ["nope"]))
    metadata.metadata_field.extend(fields)
    return call("GetModelMetadata", metadata)


def wire_bytes(rng: SeededRandom) -> Call:
    """Makes a request with some bytes changed, or random bytes."""
    if rng.one_in(20):
        return Call(RELOAD, INVALID_TAG + rng.randbytes(rng.choice((0, 5, 60))))
    if rng.one_in(5):
        return Call(rng.choice(BYTE_METHODS), rng.randbytes(rng.choice((0, 1, 5, 60))))
    make = rng.choice((predict.any_signature, predict.echo, examples, lookups))
    made = make(rng)
    data = bytearray(made.data[:4000])
    for _ in range(rng.randint(1, 4)):
        position = rng.randint(0, len(data))
        match rng.randrange(3):
            case 0:
                data[position : position + 1] = rng.randbytes(1)
            case 1:
                data[position:position] = rng.randbytes(rng.randint(1, 4))
            case 2:
                del data[position : position + rng.randint(1, 8)]
    return Call(rng.choice((made.method, made.method, rng.choice(BYTE_METHODS))), bytes(data))


def call(method: str, request: Message) -> Call:
    return Call(method, request.SerializeToString(deterministic=True))
