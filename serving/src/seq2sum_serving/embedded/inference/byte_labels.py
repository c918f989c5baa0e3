"""Replies of Classify and MultiInference whose labels are bytes.

The labels are elements of a string tensor, any bytes at all. C++ writes them into the field as they
are; Python's messages take nothing but UTF-8 for a field of type string. On the wire a field of
type bytes is the same, so these classes are those of tensorflow_serving with that one difference.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow_serving.apis import classification_pb2, inference_pb2


def _add(file: Any, pool: descriptor_pool.DescriptorPool, added: set[str]) -> None:
    """Adds a file to a pool, after those that it imports."""
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


def _message(original: Any, pool: descriptor_pool.DescriptorPool) -> Any:
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(original.DESCRIPTOR.full_name)
    )


_POOL = descriptor_pool.DescriptorPool()
_add(inference_pb2.DESCRIPTOR, _POOL, set())

ClassificationResponse = _message(classification_pb2.ClassificationResponse, _POOL)
MultiInferenceResponse = _message(inference_pb2.MultiInferenceResponse, _POOL)
