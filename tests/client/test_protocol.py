"""Our protobuf messages equal those of TensorFlow Serving, and both work in one process."""

from __future__ import annotations

import subprocess
import sys

import pytest
from seq2sum.protocol import (
    classification_pb2,
    example_pb2,
    model_management_pb2,
    model_metadata_pb2,
    model_server_config_pb2,
    model_status_pb2,
    predict_pb2,
    regression_pb2,
    tensor_pb2,
)
from tensorflow.core.example import example_pb2 as upstream_example_pb2
from tensorflow.core.example import feature_pb2
from tensorflow.core.framework import tensor_pb2 as upstream_tensor_pb2
from tensorflow.core.framework import tensor_shape_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import classification_pb2 as upstream_classification_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    input_pb2,
    status_pb2,
)
from tensorflow_serving.apis import model_management_pb2 as upstream_management_pb2
from tensorflow_serving.apis import model_pb2 as upstream_model_pb2
from tensorflow_serving.apis import predict_pb2 as upstream_predict_pb2
from tensorflow_serving.apis import regression_pb2 as upstream_regression_pb2
from tensorflow_serving.config import file_system_storage_path_source_pb2
from tensorflow_serving.config import model_server_config_pb2 as upstream_config_pb2

pytestmark = pytest.mark.tensorflow

OURS = (
    tensor_pb2,
    predict_pb2,
    model_status_pb2,
    model_metadata_pb2,
    model_server_config_pb2,
    model_management_pb2,
    example_pb2,
    classification_pb2,
    regression_pb2,
)
UPSTREAM = (
    upstream_tensor_pb2,
    tensor_shape_pb2,
    types_pb2,
    upstream_model_pb2,
    upstream_predict_pb2,
    get_model_status_pb2,
    status_pb2,
    get_model_metadata_pb2,
    meta_graph_pb2,
    upstream_config_pb2,
    upstream_management_pb2,
    file_system_storage_path_source_pb2,
    upstream_example_pb2,
    feature_pb2,
    input_pb2,
    upstream_classification_pb2,
    upstream_regression_pb2,
)


def with_nested(messages):
    for message in messages:
        yield message
        yield from with_nested(message.nested_types)


def messages_of(modules):
    """Message descriptors by their name without the package."""
    found = {}
    for module in modules:
        package = module.DESCRIPTOR.package
        for message in with_nested(module.DESCRIPTOR.message_types_by_name.values()):
            found[message.full_name.removeprefix(f"{package}.")] = message
    return found


def enums_of(modules):
    found = {}
    for module in modules:
        package = module.DESCRIPTOR.package
        enums = list(module.DESCRIPTOR.enum_types_by_name.values())
        for message in with_nested(module.DESCRIPTOR.message_types_by_name.values()):
            enums += message.enum_types
        for enum in enums:
            found[enum.full_name.removeprefix(f"{package}.")] = enum
    return found


OUR_MESSAGES, THEIR_MESSAGES = messages_of(OURS), messages_of(UPSTREAM)
OUR_ENUMS, THEIR_ENUMS = enums_of(OURS), enums_of(UPSTREAM)
# TensorFlow's error_codes.proto only re-exports another file; the field refers to its enum.
THEIR_ENUMS["Code"] = status_pb2.StatusProto.DESCRIPTOR.fields_by_name["error_code"].enum_type


def wire_properties(field):
    """Returns the properties of a field that decide its encoding and meaning."""
    kind = field.message_type or field.enum_type
    return {
        "number": field.number,
        "type": field.type,
        "repeated": field.is_repeated,
        "packed": field.is_packed,
        "of": kind.full_name.split(".")[-1] if kind else None,
        "oneof": field.containing_oneof.name if field.containing_oneof else None,
    }


def test_comparison_finds_our_messages():
    assert {"TensorProto", "PredictRequest", "ModelConfig", "SignatureDefMap"} <= set(OUR_MESSAGES)
    assert {"ReloadConfigRequest", "ReloadConfigResponse"} <= set(OUR_MESSAGES)
    assert {"DataType", "Code", "ModelVersionStatus.State"} <= set(OUR_ENUMS)


@pytest.mark.parametrize("name", OUR_MESSAGES)
def test_every_field_equals_the_upstream_one(name):
    theirs = THEIR_MESSAGES[name].fields_by_name
    for field in OUR_MESSAGES[name].fields:
        assert wire_properties(field) == wire_properties(theirs[field.name]), (
            f"{name}.{field.name} has drifted"
        )


@pytest.mark.parametrize("name", OUR_ENUMS)
def test_every_enum_value_equals_the_upstream_one(name):
    theirs = {value.name: value.number for value in THEIR_ENUMS[name].values}
    for value in OUR_ENUMS[name].values:
        assert theirs[value.name] == value.number


def test_every_message_is_in_our_proto_package():
    for message in OUR_MESSAGES.values():
        assert message.full_name.startswith("seq2sum.protocol.")


CLIENT = "import seq2sum; from seq2sum.protocol import predict_pb2 as ours"
TENSORFLOW = "import tensorflow; from tensorflow_serving.apis import predict_pb2 as theirs"
ROUND_TRIP = """
import grpc
request = ours.PredictRequest()
request.model_spec.name = "seq2sum"
request.inputs["questions"].string_val.append(b"1+2")
assert theirs.PredictRequest.FromString(request.SerializeToString()).inputs["questions"].string_val
print("both")
"""


@pytest.mark.parametrize("order", [(CLIENT, TENSORFLOW), (TENSORFLOW, CLIENT)])
def test_client_and_tensorflow_work_in_one_process(order):
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*order, ROUND_TRIP])],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == "both", done.stderr
