"""Error messages that gRPC transports."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded.rpc.statuses import MAX_MESSAGE_BYTES, TRUNCATED, truncated

HALF = MAX_MESSAGE_BYTES // 2


@pytest.mark.parametrize("message", ["", "short: é €", "x" * MAX_MESSAGE_BYTES, "é" * HALF])
def test_message_that_fits_is_sent_unchanged(message):
    assert truncated(message) == message.encode()


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("x" * (MAX_MESSAGE_BYTES + 1), b"x" * MAX_MESSAGE_BYTES),
        ("é" * MAX_MESSAGE_BYTES, "é".encode() * HALF),
        ("x" + "é" * MAX_MESSAGE_BYTES, b"x" + "é".encode() * (HALF - 1) + b"\xc3"),
    ],
)
def test_longer_message_is_cut_even_inside_a_character(message, kept):
    assert truncated(message) == kept + TRUNCATED
