"""The dtypes of TensorProto: where their values are on the wire, and how their bytes are read.

Every dtype but DT_STRING has values of a fixed size. Their bytes are little-endian on the wire, and
in this package everywhere. Not supported are resources and variants, which have no values that a
client could use, and dtypes that TensorFlow has not released together with a server: int2, uint2,
float4, and the kinds of float8 without a negative zero.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DType:
    """One dtype."""

    name: str
    """TensorFlow's name, like `DT_FLOAT`."""
    number: int
    """Its number in TensorFlow's DataType."""
    field: str
    """The repeated field of TensorProto that holds its values."""
    kind: str
    """`i` for signed integers, `u` for unsigned ones, `f` for floats, `c`, `b` for bool, `s`."""
    code: str = ""
    """The code of a value in `struct`, or of one part of a complex value."""
    size: int = 0
    """Bytes of a value; 0 for strings."""
    bits: int = 0
    """Bits of an integer."""

    @property
    def typestr(self) -> str:
        """The type in numpy's array interface; of narrow floats float32, after widening."""
        if self.narrow:
            return "<f4"
        return f"{'|' if self.size == 1 else '<'}{self.kind}{self.size}"

    @property
    def narrow(self) -> bool:
        """Whether its values are floats that neither `struct` nor numpy has."""
        return self.name in NARROW

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest integer."""
        if self.kind == "u":
            return 0, (1 << self.bits) - 1
        return -(1 << self.bits - 1), (1 << self.bits - 1) - 1


MAX_RANK = 254
"""TensorFlow's limit for the number of dimensions (tensorflow/core/framework/tensor_shape.h)."""
STRING, BFLOAT16 = "DT_STRING", "DT_BFLOAT16"
FLOAT8_E5M2, FLOAT8_E4M3FN = "DT_FLOAT8_E5M2", "DT_FLOAT8_E4M3FN"
NARROW = (BFLOAT16, FLOAT8_E5M2, FLOAT8_E4M3FN)


def _integer(name: str, number: int, field: str, code: str, size: int, bits: int = 0) -> DType:
    return DType(name, number, field, "u" if code.isupper() else "i", code, size, bits or 8 * size)


DTYPES = {
    dtype.name: dtype
    for dtype in (
        DType("DT_FLOAT", 1, "float_val", "f", "f", 4),
        DType("DT_DOUBLE", 2, "double_val", "f", "d", 8),
        _integer("DT_INT32", 3, "int_val", "i", 4),
        _integer("DT_UINT8", 4, "int_val", "B", 1),
        _integer("DT_INT16", 5, "int_val", "h", 2),
        _integer("DT_INT8", 6, "int_val", "b", 1),
        DType(STRING, 7, "string_val", "s"),
        DType("DT_COMPLEX64", 8, "scomplex_val", "c", "f", 8),
        _integer("DT_INT64", 9, "int64_val", "q", 8),
        DType("DT_BOOL", 10, "bool_val", "b", "?", 1),
        _integer("DT_QINT8", 11, "int_val", "b", 1),
        _integer("DT_QUINT8", 12, "int_val", "B", 1),
        _integer("DT_QINT32", 13, "int_val", "i", 4),
        DType(BFLOAT16, 14, "half_val", "f", "H", 2),  # the upper half of a float
        _integer("DT_QINT16", 15, "int_val", "h", 2),
        _integer("DT_QUINT16", 16, "int_val", "H", 2),
        _integer("DT_UINT16", 17, "int_val", "H", 2),
        DType("DT_COMPLEX128", 18, "dcomplex_val", "c", "d", 16),
        DType("DT_HALF", 19, "half_val", "f", "e", 2),
        _integer("DT_UINT32", 22, "uint32_val", "I", 4),
        _integer("DT_UINT64", 23, "uint64_val", "Q", 8),
        DType(FLOAT8_E5M2, 24, "float8_val", "f", "B", 1),
        DType(FLOAT8_E4M3FN, 25, "float8_val", "f", "B", 1),
        _integer("DT_INT4", 29, "int_val", "b", 1, bits=4),  # one value for each byte
        _integer("DT_UINT4", 30, "int_val", "B", 1, bits=4),
    )
}
"""All supported dtypes, by name."""
BY_NUMBER = {dtype.number: dtype for dtype in DTYPES.values()}
"""All supported dtypes, by their number in TensorFlow's DataType."""


def shape_text(shape: tuple[int, ...]) -> str:
    """Returns a shape for readers; sizes that are not fixed are `any`."""
    return f"[{', '.join('any' if size < 0 else str(size) for size in shape)}]"
