"""Tensors as buffers, from Python 3.12 on."""

from __future__ import annotations

import struct
import sys

import numpy as np
import pytest
from seq2sum._dtypes import DTYPES, NARROW
from seq2sum._nested_lists import flatten
from seq2sum._tensor import Tensor
from seq2sum._tensor_encoding import fill
from seq2sum._versions import TensorSpec
from seq2sum.protocol import tensor_pb2

NO_BUFFER = ("DT_STRING", "DT_COMPLEX64", "DT_COMPLEX128", *NARROW)


def made(dtype, shape=(2, 1)):
    if dtype == "DT_STRING":
        return Tensor(dtype, shape, (b"a", b"b"))
    return Tensor(dtype, shape, bytes(range(2 * DTYPES[dtype].size)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_buffer_has_the_values_and_the_shape(dtype):
    tensor = made(dtype)
    if dtype in NO_BUFFER or (dtype == "DT_HALF" and sys.version_info < (3, 12)):
        with pytest.raises(BufferError):
            tensor.__buffer__(0)
    else:
        view = tensor.__buffer__(0)
        assert view.readonly
        assert (view.shape, view.tolist()) == ((2, 1), tensor.tolist())
        if sys.version_info >= (3, 12):
            assert memoryview(tensor).tolist() == tensor.tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_reads_every_tensor(dtype):
    found = np.asarray(made(dtype))
    assert found.shape == (2, 1)
    assert found.tolist() == made(dtype).tolist()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_numpy_reads_tensors_without_values(shape):
    tensor = Tensor("DT_FLOAT", shape, b"")
    assert np.asarray(tensor).shape == shape
    with pytest.raises(BufferError, match="has no buffer"):
        tensor.__buffer__(0)


def test_scalars_have_a_buffer():
    tensor = Tensor("DT_FLOAT", (), struct.pack("<f", 1.5))
    assert tensor.__buffer__(0).shape == ()
    assert np.asarray(tensor) == 1.5


def test_tensors_in_lists_are_flattened():
    tensor = Tensor("DT_INT32", (2,), struct.pack("<2i", 1, 2))
    assert flatten([tensor, tensor]) == ((2, 2), [1, 2, 1, 2])
    proto = tensor_pb2.TensorProto()
    fill(proto, [tensor, tensor], TensorSpec("DT_INT32", (-1, 2)))
    assert proto.tensor_content == tensor.content * 2
