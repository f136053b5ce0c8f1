"""ImageFolder: pictures in folders, each folder a class."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, final
from warnings import catch_warnings, simplefilter

import numpy as np
from pydantic import PositiveInt

from declnet.core.registry import sources
from declnet.core.source import Column, Source
from declnet.core.spec import Array
from declnet.core.suggest import some
from declnet.data.extras import needed
from declnet.data.files import opened, refusal

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP")
"""What is decoded: formats of pixels. Others, such as PostScript, are programs."""

ENDINGS = {".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp"}
"""Files that are taken for pictures, as torchvision does."""

WHITE = 255
"""The brightest level of a pixel."""

BILINEAR = 2
"""Pillow's number for it: PIL.Image.Resampling.BILINEAR, which is there only where Pillow is."""


@sources.register
@final
class ImageFolder(Source):
    """Pictures in folders, each folder a class: PATH/cat/1.png, PATH/cat/more/2.jpg, PATH/dog/3.png.

    Classes are numbered from 0 in alphabetical order, and rows come class by class, by the names of their files.
    All pictures are decoded at once, before training. Folders whose names start with a dot are left out.

    Shape:
        image: (3, height, width) numbers, red, green and blue; (1, height, width) with mode L.
        label: an integer, the number of the folder.

    Parameters:
        path: the folder of the folders; a relative path starts at the config's folder.
        size: height and width that pictures are resized to, bilinearly; left out, all must have the same.
        mode: RGB, or L for grey; pictures of other kinds are converted.
        scale: whether levels are divided by 255, so that they are 0 to 1, as torchvision's ToTensor does.

    Raises:
        ConfigError: Pillow is not installed.
        DataError: a folder can't be opened or has no pictures, or a picture is damaged, differs in size, or has
            more than 8 bits a channel.

    Reference: https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html
    """

    inputs: ClassVar[dict[str, str]] = {"x": "image"}
    targets: ClassVar[dict[str, str]] = {"y": "label"}

    type: Literal["ImageFolder"] = "ImageFolder"
    path: Path
    size: tuple[PositiveInt, PositiveInt] | None = None
    mode: Literal["RGB", "L"] = "RGB"
    scale: bool = True

    def columns(self) -> dict[str, Column]:
        """image and label; the first picture's header says what size all have, if the config does not."""
        first, *_ = self._files()
        return {"image": Column((len(self.mode), *self._size(first[0]))), "label": Column((), "int")}

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """Decode the pictures, if they are wanted, and number their folders."""
        files = self._files()
        table: dict[str, Array] = {"label": np.array([label for _, label in files], np.int64)}
        if "image" in columns:
            size = self._size(files[0][0])
            pixels = self._pixels(files[0][0], size)  # one is decoded before there is memory for all
            images = np.empty((len(files), *pixels.shape), np.float32 if self.scale else np.uint8)
            for index, (path, _) in enumerate(files):
                pixels = self._pixels(path, size)
                images[index] = pixels / np.float32(WHITE) if self.scale else pixels
            table["image"] = images
        return {name: table[name] for name in columns}

    def classes(self) -> tuple[str, ...]:
        """The folders' names, each at the place of its number."""
        try:
            return tuple(sorted(item.name for item in self.path.iterdir() if item.is_dir() and item.name[0] != "."))
        except (OSError, ValueError) as error:  # ValueError: a NUL or half a character in the path
            raise refusal(self.path, getattr(error, "strerror", None) or str(error)) from None

    def class_names(self, column: str) -> tuple[str, ...]:
        """The folders' names, of the labels."""
        return self.classes() if column == "label" else ()

    def hint(self, column: str) -> str:
        """Which classes there are."""
        names = self.classes()
        return f"; there are {len(names)} folders: {some(names)}"

    def _files(self) -> list[tuple[Path, int]]:
        """The pictures, each with the number of its folder."""
        files: list[tuple[Path, int]] = []
        for number, name in enumerate(self.classes()):
            found = sorted(path for path in (self.path / name).rglob("*") if path.suffix.lower() in ENDINGS)
            if not found:
                raise refusal(self.path / name, f"has no pictures ({', '.join(sorted(ENDINGS))})")
            files += [(path, number) for path in found]
        if not files:
            raise refusal(self.path, "has no folders with pictures, one for each class")
        return files

    def _size(self, path: Path) -> tuple[int, int]:
        """Height and width of all pictures: as the config says, or of the first."""
        if self.size is not None:
            return self.size
        with _picture(path) as image:
            return image.height, image.width

    def _pixels(self, path: Path, size: tuple[int, int]) -> Array:
        """A picture's levels."""
        with _picture(path) as image:
            if self.size is None and (image.height, image.width) != size:
                raise refusal(
                    path,
                    f"is {image.height} x {image.width}, the first picture {size[0]} x {size[1]}; "
                    f"size: [{size[0]}, {size[1]}] resizes all",
                    ("size",),
                )
            if image.mode[0] in "IF":
                raise refusal(path, "has more than 8 bits a channel; save it with 8")
            picture = image.convert(self.mode)
            if self.size is not None:
                picture = picture.resize((size[1], size[0]), BILINEAR)
            return np.asarray(picture).reshape(*size, len(self.mode)).transpose(2, 0, 1)


@contextmanager
def _picture(path: Path) -> Iterator[Image]:
    """The open picture; what is wrong with it becomes a DataError."""
    with needed("ImageFolder", "Pillow", "images"):
        from PIL import Image
    with opened(path) as file, catch_warnings():
        simplefilter("ignore")  # of damaged metadata, which nothing is made of
        simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(file, formats=FORMATS) as image:
                yield image
        except (SyntaxError, ValueError, EOFError, struct.error) as error:
            raise refusal(path, f"is damaged: {error}") from None
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise refusal(path, f"is too large a picture: {error}") from None
