"""Values of every dtype, and their conversion to tensors and back."""

from __future__ import annotations

import math

from seq2sum._dtypes import DTYPES, NARROW
from seq2sum._tensor_decoding import tensor
from seq2sum._tensor_encoding import fill
from seq2sum._versions import TensorSpec
from seq2sum.protocol import tensor_pb2
from tensorflow.core.framework import tensor_pb2 as upstream_pb2

VALUES = {
    "DT_BOOL": [[True, False, True], [False, False, True]],
    "DT_STRING": [[b"a", b"", b"\xff\x00"], [b"text", b"x" * 300, b"y"]],
    "DT_COMPLEX64": [[1 + 2j, 0j, -1.5j], [3, 2.5, -1]],
    "DT_COMPLEX128": [[1 + 2j, 0j, -1e300j], [3, 2.5, -1]],
    "DT_INT4": [[-8, 0, 7], [1, 2, 3]],
    "DT_UINT4": [[0, 15, 7], [1, 2, 3]],
    "DT_DOUBLE": [[1e300, -0.1, math.inf], [0.0, 5e-324, 3]],
}
INTEGERS = [name for name, dtype in DTYPES.items() if dtype.kind in "iu"]
for _name in INTEGERS:
    _least, _most = DTYPES[_name].limits
    VALUES.setdefault(_name, [[_least, 0, _most], [1, 2, 3]])
for _name in ("DT_FLOAT", "DT_HALF", "DT_BFLOAT16"):
    VALUES[_name] = [[1.5, -0.1, math.inf], [0.0, 1e-3, 3]]
VALUES["DT_FLOAT8_E5M2"] = [[1.5, -0.09375, math.inf], [0.0, 2.0**-16, 57344.0]]
VALUES["DT_FLOAT8_E4M3FN"] = [[1.5, -0.1015625, 448.0], [0.0, 2.0**-9, 3]]
NOT_IN_NUMPY = ("DT_INT4", "DT_UINT4")
ARRAYS = [name for name in VALUES if name not in ("DT_STRING", *NARROW, *NOT_IN_NUMPY)]
PLAIN = [name for name in VALUES if not name.startswith("DT_Q") and name not in NOT_IN_NUMPY]
"""The dtypes that `tf.make_tensor_proto` takes from lists."""


def encoded(value, dtype, shape=None):
    proto = tensor_pb2.TensorProto()
    fill(proto, value, TensorSpec(dtype, shape))
    return proto


def decoded(proto):
    return tensor(tensor_pb2.TensorProto.FromString(proto.SerializeToString()), "out")


def upstream(proto):
    return upstream_pb2.TensorProto.FromString(proto.SerializeToString())


def type_number(dtype):
    return DTYPES[dtype].number
