"""IDX: all kinds of numbers, gzipped or not, headers that lie, and MNIST itself."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from declnet.core.source import Column
from declnet.data.sources.idx import DTYPES, IDX
from declnet.runner.events import Finished
from declnet.runner.experiment import load
from declnet.runner.train import train

CODES = {dtype: code for code, dtype in DTYPES.items()}
PIXELS = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3) * 11
LABELS = np.array([3, 0, 255, 1], np.uint8)


Refusal = Callable[[Callable[[], object]], str]


@pytest.fixture(autouse=True)
def _folder(folder: Path) -> None: ...


def idx(array: np.ndarray) -> bytes:  # type: ignore[type-arg] # of any kind
    dtype = array.dtype.newbyteorder(">")
    start = bytes([0, 0, CODES[dtype], array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return start + array.astype(dtype).tobytes()


def source(images: bytes, labels: bytes, *, scale: bool = True, flatten: bool = True) -> IDX:
    Path("images").write_bytes(images)
    Path("labels").write_bytes(labels)
    return IDX(images=Path("images"), labels=Path("labels"), scale=scale, flatten=flatten)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_pixels(pack: Callable[[bytes], bytes]) -> None:
    made = source(pack(idx(PIXELS)), pack(idx(LABELS)))
    assert made.columns() == {"image": Column((6,)), "label": Column((), "int")}
    rows = made.read(["label", "image"])
    np.testing.assert_array_equal(rows["image"], PIXELS.reshape(4, 6) / np.float32(255))
    np.testing.assert_array_equal(rows["label"], LABELS)
    assert rows["image"].dtype == np.float32
    square = source(pack(idx(PIXELS)), pack(idx(LABELS)), scale=False, flatten=False)
    assert square.columns()["image"] == Column((1, 2, 3))
    np.testing.assert_array_equal(square.read(["image"])["image"], PIXELS[:, None])


@pytest.mark.parametrize("dtype", CODES, ids=str)
@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 3, 2, 2)])
def test_every_kind_of_number(dtype: np.dtype, shape: tuple[int, ...]) -> None:  # type: ignore[type-arg] # of any kind
    values = (np.arange(np.prod(shape)) - (dtype.kind != "u")).reshape(shape).astype(dtype)
    made = source(idx(values), idx(values), scale=False, flatten=False)
    assert made.columns()["image"].shape == (shape[1:] if len(shape) != 3 else (1, *shape[1:]))
    for array in made.read(["image", "label"]).values():
        np.testing.assert_array_equal(array, values)
        assert array.dtype.isnative


OTHER = "images: images: is no IDX file: those begin with 00 00, a kind of number and a count of sizes, this with "
SHORT = "images: images: is cut short: its header speaks of"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", f"{OTHER}nothing"),
        (b"\0\0\x08", f"{OTHER}00 00 08"),
        (b"\0\1\x08\3", f"{OTHER}00 01 08 03"),
        (b"\0\0\x0a\3", f"{OTHER}00 00 0a 03"),
        (b"\0\0\x08\0", f"{OTHER}00 00 08 00"),
        (b"\0\0\x08\3" + bytes(11), "images: images: is cut short within its header"),
        (b"\0\0\x08\1" + bytes(4), "images: images: holds nothing: its shape is (0,)"),
        (idx(PIXELS)[:-1], f"{SHORT} 24 bytes, shape (4, 2, 3), and there are 23 at most"),
        (
            b"\0\0\x0e\3" + b"\xff" * 12,
            f"{SHORT} {8 * (2**32 - 1) ** 3:,} bytes, shape (4294967295, 4294967295, 4294967295), "
            "and there are 0 at most",
        ),
    ],
)
def test_headers_that_lie(content: bytes, message: str, refusal: Refusal) -> None:
    made = source(content, idx(LABELS))
    tracemalloc.start()
    try:
        assert refusal(made.columns) == message
        assert refusal(lambda: made.read(["image"])) == message
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_gzipped_lies(refusal: Refusal) -> None:
    """A few bytes cannot be terabytes; what could be in them is found out while it is read."""
    huge = source(gzip.compress(b"\0\0\x08\3" + b"\xff" * 12), idx(LABELS))
    assert refusal(huge.columns).startswith(f"{SHORT} 79,228,162,458,924,105,385,300,197,375 bytes")
    short = source(gzip.compress(idx(PIXELS)[:-1]), idx(LABELS))
    assert refusal(lambda: short.read(["image"])) == f"{SHORT} 24 bytes, shape (4, 2, 3), and there are 23"
    for pack in (gzip.compress, bytes):
        long = source(pack(idx(PIXELS) + b"\0"), idx(LABELS))
        message = "images: images: goes on behind the 24 bytes that its header speaks of"
        assert refusal(lambda: long.read(["image"])) == message  # noqa: B023 - called within the loop


def test_damaged_gzip(refusal: Refusal) -> None:
    packed = gzip.compress(np.random.default_rng(0).bytes(5000))
    for content in (packed[:3], packed[:-1], packed[:-9]):
        assert refusal(source(gzip.compress(idx(PIXELS))[: len(content) % 30], idx(LABELS)).columns)
    whole = gzip.compress(idx(PIXELS))
    made = source(whole[:-8] + bytes(8), idx(LABELS))
    assert "is damaged: Error -3 while decompressing data: incorrect data check" in refusal(
        lambda: made.read(["image"])
    )
    made = source(whole[:-9], idx(LABELS))
    assert "is damaged: it ends before what is packed in it does" in refusal(lambda: made.read(["image"]))


def test_as_many_labels_as_images(refusal: Refusal) -> None:
    made = source(idx(PIXELS), idx(LABELS[:3]))
    assert refusal(made.columns) == "IDX: column 'image' has 4 rows, column 'label' 3; a row needs both"


def test_files_that_are_none(refusal: Refusal) -> None:
    made = IDX(images=Path("no"), labels=Path("no"))
    assert refusal(made.columns) == "images: no: no such file"
    Path("images").write_bytes(idx(PIXELS))
    os.mkfifo("pipe")
    assert refusal(IDX(images=Path("images"), labels=Path("pipe")).columns) == "labels: pipe: is not a regular file"


def test_mnist(real_data: Callable[[str], Path]) -> None:
    """A linear classifier gets nine digits of ten right."""
    images, labels = map(real_data, ("mnist10k-images-idx3-ubyte.gz", "mnist10k-labels-idx1-ubyte.gz"))
    files = f"images: {images}, labels: {labels}"
    Path("c.yaml").write_text(
        f"data: {{source: {{type: IDX, {files}}}}}\n"
        "model: [{type: Linear, out_features: 10}]\nloss: CrossEntropyLoss\noptimizer: {type: Adam, lr: 0.003}\n"
        "loop: {epochs: 5, metrics: [accuracy]}\n",
        encoding="utf-8",
    )
    *_, last = train(load("c.yaml"), Path("r"))
    assert isinstance(last, Finished)
    assert last.summary["rows"] == {"train": 8000, "val": 1000, "test": 1000}
    assert last.summary["test"]["accuracy"] > 0.87  # type: ignore[index] # a mapping
