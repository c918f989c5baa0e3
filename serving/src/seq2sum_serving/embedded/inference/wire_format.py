"""Parts of protobuf's wire format, for messages that are serialized directly."""

from __future__ import annotations

LENGTH_DELIMITED = 2
"""Wire type of strings, messages and packed fields."""
ONE_BYTE_END = 0x80
"""The lowest number whose varint takes more than one byte."""

_SHORT = [bytes([number]) for number in range(ONE_BYTE_END)]


def varint(number: int) -> bytes:
    """Returns a number of at least 0 in the variable-length form of protobuf."""
    if number < ONE_BYTE_END:
        return _SHORT[number]
    encoded = bytearray()
    while number >= ONE_BYTE_END:
        encoded.append(number & 0x7F | ONE_BYTE_END)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
