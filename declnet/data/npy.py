"""NumPy's `.npy` format: what a header says, checked before an array is made by it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from io import BufferedReader, BytesIO
from tokenize import TokenError
from typing import IO, Any
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.lib import format as npy

from declnet.core.source import Column
from declnet.core.spec import Array, Kind
from declnet.data.files import fill, first_line
from declnet.errors import DataError
from declnet.records import record

HEADER = 1 << 14
"""Bytes that a header has at most: NumPy itself refuses a text of more than 10,000."""

UNREADABLE: dict[str, str] = {
    "O": "holds Python objects, which are not read: unpickling them can execute code; save an array of numbers",
    "U": "holds text, and declnet reads numbers: save numbers instead, np.unique(names, return_inverse=True)[1]",
    "S": "holds bytes, and declnet reads numbers: save numbers instead, np.unique(names, return_inverse=True)[1]",
    "c": "holds complex numbers, and declnet reads real ones: save the real and the imaginary part",
    "M": "holds dates, and declnet reads numbers: save the time since a moment, in a unit of your choice",
    "m": "holds time spans, and declnet reads numbers: save them in a unit of your choice",
    "V": "holds records, and declnet reads numbers: save each of their fields as an array",
}
"""What is said of arrays that hold no numbers, by the kind of their dtype."""

NOT_A_HEADER = (ValueError, TypeError, SyntaxError, TokenError, OverflowError, MemoryError, RecursionError)
"""What NumPy raises on a header that is none: it reads headers as literals of Python."""


class Malformed(Exception):  # noqa: N818 - whoever knows the file makes an error of it
    """The bytes are not an array as NumPy writes it; the message says why."""


@record
class Header:
    """What an array's header says, and how many bytes of the file it is."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    size: int

    @property
    def nbytes(self) -> int:
        """Bytes of the data behind the header."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def column(self) -> Column:
        """The array as a column: its first dimension counts the rows."""
        shape = self.shape[1:]
        if self.dtype.kind in UNREADABLE:
            return Column(shape, refused=UNREADABLE[self.dtype.kind])
        if not self.shape:
            return Column(refused="holds a single number, and a column has one for each row")
        if 0 in shape:
            return Column(shape, refused=f"holds nothing: its shape is {self.shape}")
        return Column(shape, kind_of(self.dtype, shape))


def kind_of(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Kind | None:
    """What a row's numbers are: bytes side by side are pixels and read as numbers, other integers stay integers."""
    if dtype.kind == "f":
        return "float"
    return None if dtype.kind == "b" or (dtype.itemsize == 1 and shape) else "int"


def read_header(file: IO[bytes], length: int) -> Header:
    """The header at the start of a file of this length, which has to hold what that speaks of, and no more."""
    start = BytesIO(file.read(HEADER))
    try:
        with catch_warnings():
            simplefilter("ignore")  # of Python 2, whose integers end in L
            version = npy.read_magic(start)
            if version not in ((1, 0), (2, 0)):  # (3, 0) is for names of fields
                raise Malformed(f"its format is {'.'.join(map(str, version))}, and declnet reads 1.0 and 2.0")
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = read(start)
    except NOT_A_HEADER as error:
        what = first_line(error).partition(": <")[0]  # without the address of what Python cannot read as a literal
        raise Malformed(f"its header is not one that NumPy writes: {what}") from None
    if any(size < 0 for size in shape):
        raise Malformed(f"its header speaks of a shape {shape}")
    header = Header(dtype, shape, fortran, start.tell())
    if header.size + header.nbytes != length and not dtype.hasobject:  # those are pickled, and never read
        what = "is cut short" if header.size + header.nbytes > length else "goes on behind its array"
        raise Malformed(
            f"it {what}: its header speaks of {header.nbytes:,} bytes, shape {shape}, and there are "
            f"{max(0, length - header.size):,}"
        )
    return header


def mapped(file: BufferedReader, header: Header, start: int) -> Array:
    """The array as a read-only map of the file; its header begins at `start`."""
    array: Array = np.memmap(
        file,
        header.dtype,
        "r",
        start + header.size,
        header.shape,
        "F" if header.fortran else "C",
    )
    return array


def loaded(file: IO[bytes], header: Header) -> Array:
    """The array read into memory, from behind its header."""
    array = np.empty(header.shape[::-1] if header.fortran else header.shape, header.dtype)
    if (count := fill(file, array)) < array.nbytes:
        raise Malformed(f"it is cut short: its header speaks of {array.nbytes:,} bytes, and there are {count:,}")
    return array.T if header.fortran else array


def require_rows(name: str, counts: Mapping[str, int]) -> None:
    """Refuse columns without rows, or of different lengths."""
    (first, rows), *others = counts.items() or [("", 1)]
    for column, count in others:
        if count != rows:
            raise DataError(
                f"{name}: column {first!r} has {rows:,} rows, column {column!r} {count:,}; a row needs both"
            )
    if not rows:
        raise DataError(f"{name}: column {first!r} has no rows")
