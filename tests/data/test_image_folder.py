"""ImageFolder: pictures of several formats and kinds, in order, and those that are wrong."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from declnet.core.source import Column
from declnet.data.sources.image_folder import BILINEAR, ImageFolder

Image = pytest.importorskip("PIL.Image", reason="needs Pillow")

if TYPE_CHECKING:
    from conftest import Command

Refusal = Callable[[Callable[[], object]], str]
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _folder(folder: Path) -> None: ...


def save(name: str, mode: str = "RGB", size: tuple[int, int] = (4, 3), **options: Any) -> np.ndarray[Any, Any]:
    """Write a picture of this width and height, and return its levels."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], len(mode)) if len(mode) > 1 else (size[1], size[0])
    levels = RNG.integers(0, 256, shape, np.uint8)
    Image.fromarray(levels, mode if mode != "P" else None).save(name, **options)
    return levels


SOURCE = ImageFolder(path=Path("root"))


def test_order_and_levels() -> None:
    """Classes and files by name, folders within a class too; other files, and hidden folders, are left out."""
    cat = save("root/cat/2.png")
    deep = save("root/cat/1/x.BMP")
    dog = save("root/dog/1.tiff")
    Path("root/cat/notes.txt").write_text("none", encoding="utf-8")
    Path("root/.hidden").mkdir()
    Path("root/read.me").touch()
    assert SOURCE.columns() == {"image": Column((3, 3, 4)), "label": Column((), "int")}
    assert SOURCE.classes() == ("cat", "dog")
    rows = SOURCE.read(["label", "image"])
    expected = np.stack([deep, cat, dog]).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(rows["image"], expected / np.float32(255))
    assert (rows["image"].dtype, rows["label"].tolist()) == (np.float32, [0, 0, 1])
    raw = ImageFolder(path=Path("root"), scale=False).read(["image"])
    np.testing.assert_array_equal(raw["image"], expected)


def test_kinds_of_pictures_are_converted() -> None:
    grey = save("root/a/1.png", "L")
    rgba = save("root/a/2.png", "RGBA")
    Image.fromarray(grey > 127).save("root/a/3.png")
    rgb = ImageFolder(path=Path("root"), scale=False).read(["image"])["image"]
    np.testing.assert_array_equal(rgb[0], np.stack([grey] * 3))
    np.testing.assert_array_equal(rgb[1], rgba[..., :3].transpose(2, 0, 1))
    np.testing.assert_array_equal(rgb[2], np.stack([(grey > 127) * 255] * 3))
    single = ImageFolder(path=Path("root"), scale=False, mode="L")
    assert single.columns()["image"] == Column((1, 3, 4))
    np.testing.assert_array_equal(single.read(["image"])["image"][0, 0], grey)


def test_sizes() -> None:
    large = save("root/a/1.png", size=(8, 6))
    save("root/a/2.png", size=(4, 3))
    resized = ImageFolder(path=Path("root"), size=(3, 4), scale=False)
    assert resized.columns()["image"] == Column((3, 3, 4))
    rows = resized.read(["image"])["image"]
    expected = Image.fromarray(large).resize((4, 3), Image.Resampling.BILINEAR)
    assert Image.Resampling.BILINEAR == BILINEAR
    np.testing.assert_array_equal(rows[0], np.asarray(expected).transpose(2, 0, 1))


def test_another_size(refusal: Refusal) -> None:
    save("root/a/1.png", size=(8, 6))
    save("root/a/2.jpg", size=(4, 3))
    message = "size: root/a/2.jpg: is 3 x 4, the first picture 6 x 8; size: [6, 8] resizes all"
    assert refusal(lambda: SOURCE.read(["image"])) == message
    assert SOURCE.read(["label"])["label"].tolist() == [0, 0]


def bomb(width: int) -> bytes:
    """A PNG of a few bytes that says it is large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, width, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")


def test_wrong_pictures(refusal: Refusal) -> None:
    save("whole.png", size=(40, 30))
    whole = Path("whole.png").read_bytes()
    sixteen, postscript = io.BytesIO(), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    Image.fromarray(np.zeros((3, 4), np.uint16)).save(sixteen, "PNG")
    Path("root/a").mkdir(parents=True)
    for content, reason in {
        b"": "cannot be read: cannot identify image file",
        postscript: "cannot be read: cannot identify image file",
        whole[: len(whole) // 2]: "cannot be read: image file is truncated",
        whole[:20]: "",
        whole[:50] + b"xxxx" + whole[54:]: "",
        bomb(12_000): "is too large a picture",
        bomb(60_000): "is too large a picture",
        sixteen.getvalue(): "has more than 8 bits a channel; save it with 8",
    }.items():
        Path("root/a/1.png").write_bytes(content)
        message = refusal(lambda: SOURCE.read(["image"]))
        assert message.startswith(f"path: root/a/1.png: {reason}")
        assert "0x" not in message


def test_wrong_folders(refusal: Refusal) -> None:
    assert refusal(SOURCE.columns) == "path: root: No such file or directory"
    Path("root").mkdir()
    assert refusal(SOURCE.columns) == "path: root: has no folders with pictures, one for each class"
    Path("root/a").mkdir()
    assert refusal(SOURCE.columns).startswith("path: root/a: has no pictures (.bmp, .jpeg")
    os.mkfifo("root/a/1.png")
    assert refusal(SOURCE.columns) == "path: root/a/1.png: is not a regular file"
    assert refusal(ImageFolder(path=Path("root/a/1.png")).columns) == "path: root/a/1.png: Not a directory"


CONFIG = """\
data: {source: {type: ImageFolder, path: root}, split: {train: 0.5, val: 0.25, test: 0.25}}
model: [{type: Conv2d, out_channels: 2, kernel_size: 3}, Flatten, {type: Linear, out_features: %d}]
loss: CrossEntropyLoss
optimizer: SGD
loop: {epochs: 1, batch_size: 4}
"""


def test_a_run(command: Command) -> None:
    for number in range(12):
        save(f"root/{'abc'[number % 3]}/{number}.jpg")
    Path("c.yaml").write_text(CONFIG % 3, encoding="utf-8")
    assert command("train", "c.yaml").rc == 0
    Path("c.yaml").write_text(CONFIG % 2, encoding="utf-8")
    refused = command("train", "c.yaml")
    assert (refused.rc, refused.stdout) == (3, "")
    assert refused.stderr.startswith(
        "c.yaml:1:16: error: data.source: the class 2 does not exist: the model's output has 2, 0 to 1; "
        "there are 3 folders: a, b and c (row 9)\n"
    )


def test_without_pillow(command: Command) -> None:
    save("root/a/1.png")
    Path("c.yaml").write_text(CONFIG % 3, encoding="utf-8")
    hide = (
        "import sys; sys.modules['PIL'] = None; from declnet.app import main; sys.argv[1:] = ['validate', 'c.yaml']"
    )
    refused = command.run([sys.executable, "-c", f"{hide}; sys.exit(main())"])
    assert (refused.rc, refused.stdout) == (2, "")
    assert refused.stderr.startswith(
        "c.yaml:1:23: error: data.source.type: ImageFolder needs Pillow: pip install 'declnet[images]'\n"
    )
