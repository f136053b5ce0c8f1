"""IDX: images and labels as MNIST and its kin are published."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, ClassVar, Literal, final

import numpy as np

from declnet.core.registry import sources
from declnet.core.source import Column, Source
from declnet.core.spec import Array
from declnet.data.files import at_most, fill, refusal, unpacked
from declnet.data.npy import kind_of, require_rows
from declnet.errors import Path as KeyPath
from declnet.records import record

DTYPES = {
    code: np.dtype(name) for code, name in {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}.items()
}
"""The kinds of numbers, by the third byte of a file."""

WHITE = 255
"""The largest byte."""


@record
class _Header:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def cut_short(self, found: str) -> str:
        return (
            f"is cut short: its header speaks of {self.nbytes:,} bytes, shape {self.shape}, and there are {found}"
        )


@sources.register
@final
class IDX(Source):
    """Images and labels in two IDX files, gzipped or not: MNIST, Fashion-MNIST, EMNIST, KMNIST.

    Shape:
        image: numbers, all of an image in one vector; (1, height, width) when flatten is false.
        label: an integer.

    Parameters:
        images: the file of images; a relative path starts at the config's folder.
        labels: the file of labels, as many.
        flatten: whether an image is a vector, or one channel of rows.
        scale: whether bytes are divided by 255, so that pixels are 0 to 1, as torchvision's ToTensor does. Numbers
            of other kinds stay as they are.

    Raises:
        DataError: a file can't be opened, is no IDX file, or is shorter or longer than its header says; or there
            are not as many labels as images.

    Reference: Y. LeCun, C. Cortes and C. Burges, "The MNIST database", which describes the format;
        https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.MNIST.html
    """

    inputs: ClassVar[dict[str, str]] = {"x": "image"}
    targets: ClassVar[dict[str, str]] = {"y": "label"}

    type: Literal["IDX"] = "IDX"
    images: Path
    labels: Path
    flatten: bool = True
    scale: bool = True

    def columns(self) -> dict[str, Column]:
        """image and label, from the two headers."""
        headers = {}
        for key, path in (("images", self.images), ("labels", self.labels)):
            with unpacked(path, (key,)) as file:
                headers[key] = _header(file, path, (key,))
        images, labels = headers["images"], headers["labels"]
        require_rows("IDX", {"image": images.shape[0], "label": labels.shape[0]})
        image, label = self._shape(images.shape[1:]), labels.shape[1:]
        return {"image": Column(image), "label": Column(label, kind_of(labels.dtype, label))}

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """The images, divided by 255 where they are bytes and `scale` says so, and the labels."""
        table: dict[str, Array] = {}
        for name in columns:
            values = _read(self.images, ("images",)) if name == "image" else _read(self.labels, ("labels",))
            if name == "image":
                values = values.reshape(len(values), *self._shape(values.shape[1:]))
                values = values / np.float32(WHITE) if self.scale and values.dtype == np.uint8 else values
            table[name] = values
        return table

    def _shape(self, image: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of an image, from that in the file."""
        if self.flatten:
            return (math.prod(image),)
        return (1, *image) if len(image) == 2 else image


def _header(file: IO[bytes], path: Path, key: KeyPath) -> _Header:
    """The header, believed only as far as the file can hold what it speaks of."""
    start = file.read(4)
    if len(start) < 4 or start[:2] != bytes(2) or start[2] not in DTYPES or not start[3]:
        begins = start.hex(" ") or "nothing"
        raise refusal(
            path,
            f"is no IDX file: those begin with 00 00, a kind of number and a count of sizes, this with {begins}",
            key,
        )
    sizes = file.read(4 * start[3])
    if len(sizes) < 4 * start[3]:
        raise refusal(path, "is cut short within its header", key)
    header = _Header(DTYPES[start[2]], tuple(np.frombuffer(sizes, ">u4").tolist()))
    if not header.nbytes:
        raise refusal(path, f"holds nothing: its shape is {header.shape}", key)
    if (most := at_most(file) - 4 - len(sizes)) < header.nbytes:
        raise refusal(path, header.cut_short(f"{most:,} at most"), key)
    return header


def _read(path: Path, key: KeyPath) -> Array:
    """All numbers of a file, in the machine's order of bytes."""
    with unpacked(path, key) as file:
        header = _header(file, path, key)
        values = np.empty(header.shape, header.dtype)
        if (count := fill(file, values)) < header.nbytes:
            raise refusal(path, header.cut_short(f"{count:,}"), key)
        if file.read(1):
            raise refusal(path, f"goes on behind the {header.nbytes:,} bytes that its header speaks of", key)
    return values.astype(header.dtype.newbyteorder("="), copy=False)
