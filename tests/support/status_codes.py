"""Error classes of the client by gRPC status code."""

from __future__ import annotations

import grpc
import seq2sum

BY_CODE = {
    grpc.StatusCode.CANCELLED: seq2sum.CallError,
    grpc.StatusCode.UNKNOWN: seq2sum.CallError,
    grpc.StatusCode.INVALID_ARGUMENT: seq2sum.InvalidRequest,
    grpc.StatusCode.DEADLINE_EXCEEDED: seq2sum.DeadlineExceeded,
    grpc.StatusCode.NOT_FOUND: seq2sum.ModelNotFound,
    grpc.StatusCode.ALREADY_EXISTS: seq2sum.CallError,
    grpc.StatusCode.PERMISSION_DENIED: seq2sum.CallError,
    grpc.StatusCode.UNAUTHENTICATED: seq2sum.CallError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: seq2sum.Overloaded,
    grpc.StatusCode.FAILED_PRECONDITION: seq2sum.InvalidRequest,
    grpc.StatusCode.ABORTED: seq2sum.CallError,
    grpc.StatusCode.UNIMPLEMENTED: seq2sum.InvalidRequest,
    grpc.StatusCode.INTERNAL: seq2sum.CallError,
    grpc.StatusCode.UNAVAILABLE: seq2sum.Unavailable,
    grpc.StatusCode.OUT_OF_RANGE: seq2sum.InvalidRequest,
    grpc.StatusCode.DATA_LOSS: seq2sum.CallError,
}
"""Class of the error for every status code of a failed call."""
