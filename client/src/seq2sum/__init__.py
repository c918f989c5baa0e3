"""seq2sum: ask a seq2sum model on TensorFlow Serving, with plain strings."""

from seq2sum import contract
from seq2sum._answers import Answer, State, VersionStatus
from seq2sum._client import Client
from seq2sum._errors import (
    CallError,
    DeadlineExceeded,
    InvalidQuestion,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    Seq2SumError,
    Unavailable,
    UnexpectedResponse,
    VersionNotFound,
)

__all__ = [
    "Answer",
    "CallError",
    "Client",
    "DeadlineExceeded",
    "InvalidQuestion",
    "InvalidRequest",
    "ModelNotFound",
    "Overloaded",
    "Seq2SumError",
    "State",
    "Unavailable",
    "UnexpectedResponse",
    "VersionNotFound",
    "VersionStatus",
    "contract",
]

for _name in __all__:  # tracebacks and reprs show the public path, not the private module
    if isinstance(globals()[_name], type):
        globals()[_name].__module__ = __name__
del _name
