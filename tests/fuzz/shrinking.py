"""Reduces an input to a smaller one that still shows the fault."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from conformance.exchange import METHODS
from fuzz.inputs import Call, Conversation, Input, Rest
from fuzz.json_text import Object, Tree, read, write
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

MAX_TRIES = 300
MAX_SECONDS = 15.0
MAX_TREE_BYTES = 20_000
"""Larger JSON is minimized as text only."""

Parts = TypeVar("Parts", bytes, tuple)


def minimize(test_input: Input, shows_fault: Callable[[Input], bool]) -> Input:
    """Returns the smallest input found by dropping parts, in a limited number of tries."""
    deadline, tries = time.monotonic() + MAX_SECONDS, 0
    improved = True
    while improved:
        improved = False
        for candidate in smaller(test_input):
            if tries >= MAX_TRIES or time.monotonic() > deadline:
                return test_input
            tries += 1
            if shows_fault(candidate):
                test_input, improved = candidate, True
                break
    return test_input


def smaller(test_input: Input) -> Iterator[Input]:
    """Yields inputs without one of the parts, the largest parts first."""
    match test_input:
        case Call():
            yield from (Call(test_input.method, data) for data in smaller_messages(test_input))
        case Rest(body=bytes()):
            bodies = [*smaller_json(test_input.body), *without_parts(test_input.body)]
            yield from (Rest(test_input.verb, test_input.path, body) for body in bodies)
        case Conversation():
            yield from smaller_conversations(test_input)


def without_parts(whole: Parts) -> Iterator[Parts]:
    """Drops each half, then each quarter, and so on to single elements of short sequences."""
    size = len(whole) // 2 if len(whole) > 1 else len(whole)
    while size and len(whole) // size <= 64:
        for start in range(0, len(whole), size):
            yield whole[:start] + whole[start + size :]
        size //= 2


def smaller_messages(test_input: Call) -> Iterator[bytes]:
    try:
        request = METHODS[test_input.method][1].FromString(test_input.data)
    except DecodeError:
        yield from without_parts(test_input.data)
        return
    for _ in changes(request):
        yield request.SerializeToString(deterministic=True)


def changes(message: Message) -> Iterator[None]:
    """Changes the message in place, and restores it after each step."""
    before = type(message)()
    before.CopyFrom(message)
    for field, _ in before.ListFields():
        for change in (cleared, shortened):
            for _ in change(message, field):
                yield
                message.CopyFrom(before)
        for inner in inner_messages(message, field):
            yield from changes(inner)


def cleared(message: Message, field: FieldDescriptor) -> Iterator[None]:
    message.ClearField(field.name)
    yield


def shortened(message: Message, field: FieldDescriptor) -> Iterator[None]:
    """Drops the entries of a map one by one, or parts of a list or of bytes."""
    if is_map(field):
        for key in sorted(getattr(message, field.name), key=str):
            del getattr(message, field.name)[key]
            yield
    elif field.is_repeated:
        for shorter in without_parts(tuple(getattr(message, field.name))):
            message.ClearField(field.name)
            getattr(message, field.name).extend(shorter)
            yield
    elif field.type == field.TYPE_BYTES:
        for shorter in without_parts(getattr(message, field.name)):
            setattr(message, field.name, shorter)
            yield


def inner_messages(message: Message, field: FieldDescriptor) -> list[Message]:
    """Returns the messages in a field."""
    value = getattr(message, field.name)
    if is_map(field):
        has_messages = field.message_type.fields_by_name["value"].message_type is not None
        return [value[key] for key in sorted(value, key=str)] if has_messages else []
    if field.message_type is None:
        return []
    return list(value) if field.is_repeated else [value]


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def smaller_json(text: bytes) -> Iterator[bytes]:
    tree = read(text) if len(text) <= MAX_TREE_BYTES else None
    if tree is not None:
        yield from map(write, smaller_trees(tree))


def smaller_trees(tree: Tree) -> Iterator[Tree]:
    """Yields trees without one of the parts, or with one of them made smaller."""
    parts = tree.members if isinstance(tree, Object) else tree if isinstance(tree, list) else ()
    make = (lambda members: Object(tuple(members))) if isinstance(tree, Object) else list
    for shorter in without_parts(tuple(parts)):
        yield make(shorter)
    for number, part in enumerate(parts):
        inner = part[1] if isinstance(tree, Object) else part
        for candidate in smaller_trees(inner):
            new = (part[0], candidate) if isinstance(tree, Object) else candidate
            yield make([*parts[:number], new, *parts[number + 1 :]])


def smaller_conversations(test_input: Conversation) -> Iterator[Conversation]:
    for fewer in without_parts(test_input.messages):
        if fewer:
            yield dataclasses.replace(test_input, messages=fewer)
    for name, simple in (("noise", b""), ("piece", 0), ("cut", None), ("half_close", False)):
        if getattr(test_input, name) != simple:
            yield dataclasses.replace(test_input, **{name: simple})
    for number, message in enumerate(test_input.messages):
        for headers in without_parts(message.headers):
            changed = dataclasses.replace(message, headers=headers)
            messages = (*test_input.messages[:number], changed, *test_input.messages[number + 1 :])
            yield dataclasses.replace(test_input, messages=messages)
