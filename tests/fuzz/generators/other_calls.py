"""gRPC calls other than Predict, and bytes that are hardly a request."""

from __future__ import annotations

from fuzz.generators import models, predict
from fuzz.generators.chance import Chance
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
CHANGED = ("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata", "GetModelStatus")
"""Methods that take any bytes. HandleReloadConfigRequest is not one: it could unload the models."""
RELOAD = "HandleReloadConfigRequest"
NEVER_READABLE = b"\xff"
"""At the start of bytes: a tag that no message has, so that they are no request."""


def examples(chance: Chance) -> Call:
    """Classify, Regress or MultiInference."""
    method = chance.choice(("Classify", "Classify", "Regress", "Regress", "MultiInference"))
    if method == "MultiInference":
        return call(method, multi_inference(chance))
    kind = {
        "Classify": classification_pb2.ClassificationRequest,
        "Regress": regression_pb2.RegressionRequest,
    }[method]
    request = kind()
    signature = classifying(chance, None if chance.one_in(8) else method.lower())
    predict.fill_spec(chance, request.model_spec, signature.model, signature.name)
    fill_input(chance, request.input)
    return call(method, request)


def multi_inference(chance: Chance) -> inference_pb2.MultiInferenceRequest:
    request = inference_pb2.MultiInferenceRequest()
    model = chance.choice(list(models.FOLDERS))
    for _ in range(chance.randint(0, 3)):
        signature = classifying(chance, None, model)
        task = request.tasks.add()
        predict.fill_spec(chance, task.model_spec, model, signature.name)
        right = signature.method if signature.method in METHOD_NAMES else METHOD_NAMES[0]
        task.method_name = chance.choice((right,) * 6 + (*METHOD_NAMES, "", "predict"))
    fill_input(chance, request.input)
    return request


def classifying(chance: Chance, word: str | None, model: str | None = None) -> models.Signature:
    """A signature for examples: one for this method, or for any."""
    chosen = [
        one
        for one in models.signatures()
        if one.method.endswith(word or ("classify", "regress")) and model in (None, one.model)
    ]
    return chance.choice(chosen if not chance.one_in(20) else models.signatures())


def fill_input(chance: Chance, filled: input_pb2.Input) -> None:
    if chance.one_in(5):
        filled.example_list_with_context.examples.extend(several(chance))
        filled.example_list_with_context.context.CopyFrom(example(chance))
    elif not chance.one_in(30):
        filled.example_list.examples.extend(several(chance))


def several(chance: Chance) -> list[example_pb2.Example]:
    return [example(chance) for _ in range(chance.choice((0, 1, 1, 2, 3)))]


def example(chance: Chance) -> example_pb2.Example:
    """Features of any kind; mostly the ones that the models read."""
    found = example_pb2.Example()
    if not chance.one_in(10):
        found.features.feature["x"].float_list.value.append(chance.choice((0, 1.5, -3, 1e38)))
        found.features.feature["n"].int64_list.value.append(chance.randint(-9, 9))
        found.features.feature["s"].bytes_list.value.append(chance.bytes_value())
    if chance.one_in(4):
        feature = found.features.feature[chance.choice(FEATURES)]
        match chance.randrange(4):
            case 0:
                feature.bytes_list.value.extend([chance.bytes_value(), chance.bytes_value()])
            case 1:
                feature.int64_list.value.extend([2**63 - 1, -(2**63)][: chance.randint(0, 2)])
            case 2:
                feature.float_list.value.extend([1.0, 2.0][: chance.randint(0, 2)])
            case 3:
                feature.Clear()
    return found


def lookups(chance: Chance) -> Call:
    """GetModelStatus or GetModelMetadata."""
    signature = chance.choice(models.signatures())
    if chance.one_in(2):
        status = get_model_status_pb2.GetModelStatusRequest()
        predict.fill_spec(chance, status.model_spec, signature.model, signature.name)
        return call("GetModelStatus", status)
    metadata = get_model_metadata_pb2.GetModelMetadataRequest()
    predict.fill_spec(chance, metadata.model_spec, signature.model, signature.name)
    fields = chance.choice((["signature_def"],) * 6 + ([], ["", "signature_def"], ["nope"]))
    metadata.metadata_field.extend(fields)
    return call("GetModelMetadata", metadata)


def wire_bytes(chance: Chance) -> Call:
    """A request with some of its bytes changed, or random bytes."""
    if chance.one_in(20):
        return Call(RELOAD, NEVER_READABLE + chance.randbytes(chance.choice((0, 5, 60))))
    if chance.one_in(5):
        return Call(chance.choice(CHANGED), chance.randbytes(chance.choice((0, 1, 5, 60))))
    make = chance.choice((predict.any_signature, predict.echo, examples, lookups))
    made = make(chance)
    data = bytearray(made.data[:4000])
    for _ in range(chance.randint(1, 4)):
        place = chance.randint(0, len(data))
        match chance.randrange(3):
            case 0:
                data[place : place + 1] = chance.randbytes(1)
            case 1:
                data[place:place] = chance.randbytes(chance.randint(1, 4))
            case 2:
                del data[place : place + chance.randint(1, 8)]
    return Call(chance.choice((made.method, made.method, chance.choice(CHANGED))), bytes(data))


def call(method: str, request: Message) -> Call:
    return Call(method, request.SerializeToString(deterministic=True))
