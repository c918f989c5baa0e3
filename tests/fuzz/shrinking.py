"""Makes an input smaller that shows a fault, as long as the fault stays."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from conformance.exchange import METHODS
from fuzz.inputs import Call, Conversation, Input, Rest
from fuzz.json_text import Pairs, Tree, read, written
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

MOST_TRIES = 300
MOST_SECONDS = 15.0
LARGEST_TREE = 20_000
"""Bytes of JSON whose parts are tried one by one."""

Sequence = TypeVar("Sequence", bytes, tuple)


def smallest(question: Input, shows_fault: Callable[[Input], bool]) -> Input:
    """The smallest input found by dropping parts, in a limited number of tries."""
    deadline, tries = time.monotonic() + MOST_SECONDS, 0
    improved = True
    while improved:
        improved = False
        for candidate in smaller(question):
            if tries >= MOST_TRIES or time.monotonic() > deadline:
                return question
            tries += 1
            if shows_fault(candidate):
                question, improved = candidate, True
                break
    return question


def smaller(question: Input) -> Iterator[Input]:
    """Inputs with a part less, the largest parts first."""
    match question:
        case Call():
            yield from (Call(question.method, data) for data in smaller_messages(question))
        case Rest(body=bytes()):
            bodies = [*smaller_json(question.body), *without_parts(question.body)]
            yield from (Rest(question.verb, question.path, body) for body in bodies)
        case Conversation():
            yield from smaller_conversations(question)


def without_parts(whole: Sequence) -> Iterator[Sequence]:
    """Each half is dropped, then each quarter, and so on to single elements of short ones."""
    size = len(whole) // 2 if len(whole) > 1 else len(whole)
    while size and len(whole) // size <= 64:
        for start in range(0, len(whole), size):
            yield whole[:start] + whole[start + size :]
        size //= 2


def smaller_messages(question: Call) -> Iterator[bytes]:
    try:
        request = METHODS[question.method][1].FromString(question.data)
    except DecodeError:
        yield from without_parts(question.data)
        return
    for _ in changes(request):
        yield request.SerializeToString(deterministic=True)


def changes(message: Message) -> Iterator[None]:
    """Changes the message in place, and back after each step."""
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
    """The entries of a map one by one, or parts of a list or of bytes."""
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
    """Those that a field holds."""
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
    tree = read(text) if len(text) <= LARGEST_TREE else None
    if tree is not None:
        yield from map(written, smaller_trees(tree))


def smaller_trees(tree: Tree) -> Iterator[Tree]:
    """A tree without one of its parts, or with one of them made smaller."""
    parts = tree.items if isinstance(tree, Pairs) else tree if isinstance(tree, list) else ()
    make = (lambda items: Pairs(tuple(items))) if isinstance(tree, Pairs) else list
    for shorter in without_parts(tuple(parts)):
        yield make(shorter)
    for number, part in enumerate(parts):
        inner = part[1] if isinstance(tree, Pairs) else part
        for candidate in smaller_trees(inner):
            new = (part[0], candidate) if isinstance(tree, Pairs) else candidate
            yield make([*parts[:number], new, *parts[number + 1 :]])


def smaller_conversations(question: Conversation) -> Iterator[Conversation]:
    for fewer in without_parts(question.messages):
        if fewer:
            yield dataclasses.replace(question, messages=fewer)
    for name, simple in (("noise", b""), ("piece", 0), ("cut", None), ("half_close", False)):
        if getattr(question, name) != simple:
            yield dataclasses.replace(question, **{name: simple})
    for number, message in enumerate(question.messages):
        for headers in without_parts(message.headers):
            changed = dataclasses.replace(message, headers=headers)
            messages = (*question.messages[:number], changed, *question.messages[number + 1 :])
            yield dataclasses.replace(question, messages=messages)
