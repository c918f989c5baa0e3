"""Replies of Classify and MultiInference whose labels are bytes.

Labels are elements of a string tensor, which holds any bytes. C++ writes them into the reply
unchanged, but Python's messages accept only UTF-8 in a field of type string. Fields of type bytes
have the same wire format, so these classes are tensorflow_serving's with that type for `label`.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow_serving.apis import classification_pb2, inference_pb2


def _add(file: Any, pool: descriptor_pool.DescriptorPool, added: set[str]) -> None:
    """Adds a file and all files that it imports to a pool, imports first."""
    if file.name in added:
        return
    added.add(file.name)
    for imported in file.dependencies:
        _add(imported, pool, added)
    proto = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(proto)
    if file is classification_pb2.DESCRIPTOR:
        [message] = (each for each in proto.message_type if each.name == "Class")
        [label] = (field for field in message.field if field.name == "label")
        label.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
    pool.Add(proto)


def _message_class(original: Any, pool: descriptor_pool.DescriptorPool) -> Any:
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(original.DESCRIPTOR.full_name)
    )


_POOL = descriptor_pool.DescriptorPool()
_add(inference_pb2.DESCRIPTOR, _POOL, set())

ClassificationResponse = _message_class(classification_pb2.ClassificationResponse, _POOL)
MultiInferenceResponse = _message_class(inference_pb2.MultiInferenceResponse, _POOL)
