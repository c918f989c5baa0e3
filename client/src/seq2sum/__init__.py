"""seq2sum: ask a seq2sum model on TensorFlow Serving, with plain strings."""

from seq2sum import addition, model_versions
from seq2sum._async_client import AsyncClient
from seq2sum._channel import TLS, KeepAlive, Retry
from seq2sum._client import Client
from seq2sum._coalescing import Coalesce
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
from seq2sum._how import How, Pace
from seq2sum._shadow import Shadow
from seq2sum._split import Split
from seq2sum._split_file import SplitFile
from seq2sum._versions import Description, SignatureShape, State, TensorShape, VersionStatus
from seq2sum.addition.answers import Answer, Columns
from seq2sum.addition.explanation import Explanation, Place

__all__ = [
    "TLS",
    "Answer",
    "AsyncClient",
    "CallError",
    "Client",
    "Coalesce",
    "Columns",
    "DeadlineExceeded",
    "Description",
    "Explanation",
    "How",
    "InvalidQuestion",
    "InvalidRequest",
    "KeepAlive",
    "ModelNotFound",
    "Overloaded",
    "Pace",
    "Place",
    "Retry",
    "Seq2SumError",
    "Shadow",
    "SignatureShape",
    "Split",
    "SplitFile",
    "State",
    "TensorShape",
    "Unavailable",
    "UnexpectedResponse",
    "VersionNotFound",
    "VersionStatus",
    "addition",
    "model_versions",
]

for _name in __all__:  # tracebacks and reprs show the public path, not the private module
    if isinstance(globals()[_name], type):
        globals()[_name].__module__ = __name__
del _name
