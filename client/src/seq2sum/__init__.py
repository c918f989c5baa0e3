"""seq2sum: a client of models on TensorFlow Serving, and of the addition model among them."""

# Ctrl-C is handled first: the other imports are slow.
from seq2sum import _interrupts as _interrupts
from seq2sum import addition, golden, model_versions
from seq2sum._async_model_client import AsyncModelClient
from seq2sum._channel import TLS, KeepAlive, Retry
from seq2sum._coalescing import Coalescing
from seq2sum._errors import (
    CallError,
    DeadlineExceeded,
    InvalidInput,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    Seq2SumError,
    Unavailable,
    UnexpectedResponse,
    VersionNotFound,
)
from seq2sum._examples import Classifications, ClassScore, Regressions
from seq2sum._model_client import ModelClient
from seq2sum._options import CallOptions
from seq2sum._prediction import Prediction
from seq2sum._shadow import Shadow
from seq2sum._split import Split
from seq2sum._split_file import SplitFile
from seq2sum._tensor import Tensor
from seq2sum._versions import ModelMetadata, SignatureSpec, State, TensorSpec, VersionStatus
from seq2sum.addition.answers import Answer, Columns, InvalidQuestion
from seq2sum.addition.async_client import AsyncClient
from seq2sum.addition.client import Client
from seq2sum.addition.description import Description
from seq2sum.addition.explanation import Explanation, Position

__all__ = [
    "TLS",
    "Answer",
    "AsyncClient",
    "AsyncModelClient",
    "CallError",
    "CallOptions",
    "ClassScore",
    "Classifications",
    "Client",
    "Coalescing",
    "Columns",
    "DeadlineExceeded",
    "Description",
    "Explanation",
    "InvalidInput",
    "InvalidQuestion",
    "InvalidRequest",
    "KeepAlive",
    "ModelClient",
    "ModelMetadata",
    "ModelNotFound",
    "Overloaded",
    "Position",
    "Prediction",
    "Regressions",
    "Retry",
    "Seq2SumError",
    "Shadow",
    "SignatureSpec",
    "Split",
    "SplitFile",
    "State",
    "Tensor",
    "TensorSpec",
    "Unavailable",
    "UnexpectedResponse",
    "VersionNotFound",
    "VersionStatus",
    "addition",
    "golden",
    "model_versions",
]

for _name in __all__:  # tracebacks and reprs show the public path, not the private module
    if isinstance(globals()[_name], type):
        globals()[_name].__module__ = __name__
del _name
