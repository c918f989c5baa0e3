"""Values of the command line, from text. Each says in its own words what it takes."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from pathlib import Path

from seq2sum import model_versions
from seq2sum._numbers import LONGEST
from seq2sum._split import Split, parse_variant
from seq2sum.addition.answers import Question


def version(text: str) -> int:
    """A model version."""
    number = model_versions.version_number(text)
    if number is None:
        raise ArgumentTypeError(f"{text!r} is not a version: 0, 1, 2 and so on")
    return number


def seconds(text: str) -> float:
    """A time. One of three years stands for no limit; sleeps of the system end somewhere too."""
    value = _number(text)
    if value is None or not 0 <= value <= LONGEST:  # NaN is neither
        raise ArgumentTypeError(f"{text!r} is not a time: seconds, 0 or more, at most {LONGEST:g}")
    return value


def count(text: str) -> int:
    """How many, 1 or more."""
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise ArgumentTypeError(f"{text!r} is not a count: 1, 2, 3 and so on")
    return int(text)


def name(text: str) -> str:
    """A name of a model or a label: text, and not bytes that no encoding has."""
    if not text or not text.isprintable():
        raise ArgumentTypeError(f"{text!r} is not a name")
    return text


def target(text: str) -> str | list[str]:
    """Where to ask: one address, or several that share the calls."""
    parts = [part.strip() for part in text.split(",")]
    if not text.isprintable() or not all(parts):
        raise ArgumentTypeError(f"{text!r} is not an address: HOST:PORT, or IP:PORT,IP:PORT…")
    # `ipv4:1.2.3.4:1,5.6.7.8:1` and the like are gRPC's own way to say the same.
    return text if len(parts) == 1 or text.startswith(("ipv4:", "ipv6:")) else parts


def split(text: str) -> Split | Path:
    """How calls are shared: weights, or the file that has them."""
    if "=" not in text:
        return Path(text)
    weights: dict[str | int, float] = {}
    try:
        for part in text.split(","):
            left, _, right = part.partition("=")
            side, weight = parse_variant(left.strip()), _number(right)
            if weight is None:
                raise ValueError(f"{right!r} is not a weight")
            if side in weights:
                raise ValueError(f"it names {side} twice")
            weights[side] = weight
        return Split(weights)
    except ValueError as error:
        raise ArgumentTypeError(
            f"{text!r} is not a split like stable=95,canary=5: {error}"
        ) from error


def question(text: str) -> Question:
    """A question from the command line: what is no text in the shell's encoding stays bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def _number(text: str) -> float | None:
    if not text.isascii() or "_" in text:  # Python's own way to write numbers
        return None
    try:
        return float(text)
    except ValueError:
        return None
