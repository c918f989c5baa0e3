"""Text from elsewhere (servers, operators, files) made safe for one line of a terminal or a log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MAX_CHARACTERS = 200
MAX_INPUT_CHARACTERS = 60


def escape(text: str) -> str:
    """Returns the text with a space for each line break, and other control characters escaped."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else " " if each.isspace() else repr(each)[1:-1] for each in text
    )


def one_line(text: str, *, max_characters: int = MAX_CHARACTERS) -> str:
    """Returns the text escaped, with single spaces, and cut to a length with an ellipsis."""
    line = escape(" ".join(text.split()))
    return line if len(line) <= max_characters else f"{line[: max_characters - 3]}..."


def first_line(text: str) -> str:
    """Returns the first non-blank line of an error; the others are paths and tracebacks."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")


def inputs_text(inputs: Mapping[str, Any], *, max_characters: int = MAX_INPUT_CHARACTERS) -> str:
    """Returns the inputs of a request as JSON in one line, cut if they are long."""
    text = json.dumps(inputs, ensure_ascii=False, default=repr)
    return one_line(text, max_characters=max_characters)
