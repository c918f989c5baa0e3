"""Tests that fork a process with a fake server, which not every version of gRPC supports."""

from __future__ import annotations

import grpc
import pytest

forks_with_a_server = pytest.mark.skipif(
    tuple(map(int, grpc.__version__.split(".")[:2])) < (1, 80),
    reason="before 1.80, gRPC hangs in a child if the forking process has a server",
)
