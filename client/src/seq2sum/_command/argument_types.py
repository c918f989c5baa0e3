"""Types of command-line arguments: functions from text to values, for argparse."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from pathlib import Path

from seq2sum import model_versions
from seq2sum._numbers import LONGEST
from seq2sum._split import Split, parse_variant


def version(text: str) -> int:
    """Parses a model version."""
    number = model_versions.version_number(text)
    if number is None:
        raise ArgumentTypeError(f"invalid version {text!r}: expected a non-negative integer")
    return number


def seconds(text: str) -> float:
    """Parses a duration, limited to what the system's sleep accepts."""
    value = _number(text)
    if value is None or not 0 <= value <= LONGEST:  # NaN fails the comparison
        raise ArgumentTypeError(f"invalid time {text!r}: expected seconds from 0 to {LONGEST:g}")
    return value


def count(text: str) -> int:
    """Parses a positive integer."""
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise ArgumentTypeError(f"invalid count {text!r}: expected a positive integer")
    return int(text)


def name(text: str) -> str:
    """Parses the name of a model or a label: printable text that can be encoded."""
    if not text or not text.isprintable():
        raise ArgumentTypeError(f"invalid name {text!r}: expected printable text")
    return text


def target(text: str) -> str | list[str]:
    """Parses one address, or several separated by commas, between which calls are balanced."""
    parts = [part.strip() for part in text.split(",")]
    if not text.isprintable() or not all(parts):
        raise ArgumentTypeError(
            f"invalid address {text!r}: expected HOST:PORT, or IP:PORT,IP:PORT and so on"
        )
    # `ipv4:1.2.3.4:1,5.6.7.8:1` is gRPC's syntax for several addresses.
    return text if len(parts) == 1 or text.startswith(("ipv4:", "ipv6:")) else parts


def split(text: str) -> Split | Path:
    """Parses the weights of a traffic split, or the name of a file with them.

    A target with a comma, like `ipv4:10.0.0.5:8500,10.0.0.6:8500`, can only be in a file.
    """
    if "=" not in text:
        return Path(text)
    weights: dict[str | int, float] = {}
    try:
        for part in text.split(","):
            left, _, right = part.partition("=")
            variant, weight = parse_variant(left.strip()), _number(right)
            if weight is None:
                raise ValueError(f"invalid weight {right!r}: expected a number")
            if variant in weights:
                raise ValueError(f"{variant} occurs twice")
            weights[variant] = weight
        return Split(weights)
    except ValueError as error:
        raise ArgumentTypeError(
            f"invalid split {text!r}: expected weights like stable=95,canary=5: {error}"
        ) from error


def question(text: str) -> str | bytes:
    """Parses a question; an argument that the shell's encoding cannot decode becomes bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def _number(text: str) -> float | None:
    if not text.isascii() or "_" in text:  # float() accepts other digits and underscores
        return None
    try:
        return float(text)
    except ValueError:
        return None
