"""Golden requests: inputs with the outputs that every version of a model has to return for them.

They are lines of JSON in `assets.extra/golden.jsonl` of a version's folder. Each line is also a
valid body for the REST API of TensorFlow Serving, which ignores the keys that it does not know:

    {"inputs": {"x": [1.0]}, "expect": {"y": [2.5]}, "compare": {"y": {"atol": 1e-5}}}
"""

from seq2sum.golden.checking import GoldenResult, check, check_one
from seq2sum.golden.comparison import differences
from seq2sum.golden.requests import (
    ARGMAX,
    EXACT,
    FILE_NAME,
    Compare,
    GoldenRequest,
    InvalidGoldenRequest,
    Tolerance,
    parse,
    read,
    recorded,
    to_line,
)

__all__ = [
    "ARGMAX",
    "EXACT",
    "FILE_NAME",
    "Compare",
    "GoldenRequest",
    "GoldenResult",
    "InvalidGoldenRequest",
    "Tolerance",
    "check",
    "check_one",
    "differences",
    "parse",
    "read",
    "recorded",
    "to_line",
]
