"""Runs seq2sum-serve on Linux with what macOS lacks taken away, and fails where it is used.

An approximation, since TensorFlow and gRPC remain those of Linux: it finds calls of Linux in our
own code.
"""

from __future__ import annotations

import errno
import os
import socket
import sys

import grpc_health.v1.health
import grpc_reflection.v1alpha.reflection
import tensorflow as tf
import tensorflow_serving.apis.prediction_service_pb2_grpc

LOADED = (tf, tensorflow_serving, grpc_health, grpc_reflection)
"""Libraries that choose their code by the system when they are imported."""
LACKING = ("sched_getaffinity", "sched_setaffinity", "pidfd_open", "memfd_create", "posix_fadvise")
REFUSED = ("ctypes.dlopen", "os.exec", "os.fork")
"""Of libc.so.6, again with other environment variables, and of a process with threads."""


class Socket(socket.socket):
    """A socket that does not count as connected while it listens."""

    def shutdown(self, how):
        if self.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        super().shutdown(how)


def refuse(event, arguments):
    if event in REFUSED:
        raise AssertionError(f"{event}{arguments} on macOS")
    if event == "open" and str(arguments[0]).startswith(("/proc", "/sys")):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), arguments[0])


if __name__ == "__main__":
    for name in LACKING:
        delattr(os, name)
    os.process_cpu_count = os.cpu_count  # Python 3.13 chose the one with affinity
    socket.socket = Socket
    sys.platform = "darwin"
    sys.addaudithook(refuse)
    from seq2sum_serving.embedded.cli import main

    sys.exit(main())
