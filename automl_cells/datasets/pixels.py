"""One encoded image, somewhere in a file, and its pixels: whatever Pillow reads becomes 8-bit grey or colour.

Rules, the same for every source:

- The orientation that a camera noted (EXIF) is applied.
- Palettes, CMYK and other colour models become red, green, blue; transparent pixels lie on white.
- 16-bit values are scaled to 8 bits (Pillow's own conversion would clip them).
- An image is scaled until it covers the size wanted (bicubic, antialiased), and what overhangs is cut off evenly.
- Of an animation, the first picture counts.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from automl_cells.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 89_478_485  # of one image: Pillow's own warning limit against decompression bombs
_UNWANTED = {"BUFR", "EPS", "FITS", "GRIB", "HDF5", "MPEG", "PDF", "WMF"}  # stubs, or run by another program
_ORIENTATION = 0x0112
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """Where the bytes of an encoded image are.

    Attributes:
        path: the file.
        offset: the first byte of the image.
        length: number of bytes; 0 for all that follow.
    """

    path: Path
    offset: int = 0
    length: int = 0

    def __str__(self) -> str:
        return f"{self.path} at byte {self.offset}" if self.length else str(self.path)

    def open(self) -> IO[bytes]:
        """The bytes as a file.

        Raises:
            OSError: the file cannot be read.
        """
        if not self.length:
            return self.path.open("rb")
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return io.BytesIO(file.read(self.length))


@dataclass(frozen=True, slots=True)
class Facts:
    """What an image is before it is fitted: its upright size, and 1 channel if its format is grey, else 3."""

    height: int
    width: int
    channels: int


@cache
def suffixes() -> frozenset[str]:
    """The suffixes, such as ``.png``, of the image files that are read."""
    from PIL import Image

    known = Image.registered_extensions()  # loads every plugin
    return frozenset(suffix for suffix, format in known.items() if format in _formats())


@cache
def _formats() -> list[str]:
    from PIL import Image

    Image.init()
    return [format for format in Image.OPEN if format not in _UNWANTED]


def examine(image: EncodedImage) -> Facts:
    """Read an image to its end, so that it is known to be whole.

    Raises:
        DataError: it cannot be read; the message is only the reason.
    """
    with _reasons(), image.open() as file, _opened(file) as opened:
        mode, (width, height) = opened.mode, opened.size
        if opened.format in ("JPEG", "MPO"):
            opened.draft(mode, (1, 1))  # all bytes are read, but only an eighth of the resolution is computed
            opened.load()
        else:
            opened.load()
            mode, (width, height) = opened.mode, opened.size  # a TIFF turns itself upright
        _check_mode(opened)
        if opened.getexif().get(_ORIENTATION) in (5, 6, 7, 8):
            width, height = height, width
        return Facts(height, width, 1 if mode in _GREY or _is_grey_palette(opened) else 3)


def decode(image: EncodedImage, size: tuple[int, int], channels: int) -> np.ndarray:
    """The pixels of an image, fitted.

    Args:
        image: where it is.
        size: (height, width) wanted.
        channels: 1 or 3.

    Returns:
        uint8, (height, width, channels).

    Raises:
        DataError: it cannot be read; the message is only the reason.
    """
    from PIL import Image, ImageOps

    with _reasons(), image.open() as file, _opened(file) as opened:
        opened.load()
        _check_mode(opened)
        upright = ImageOps.exif_transpose(opened)
        plain = _plain(upright, "L" if channels == 1 else "RGB")
        if plain.size != (size[1], size[0]):
            plain = ImageOps.fit(plain, (size[1], size[0]), Image.Resampling.BICUBIC)
        return np.asarray(plain, np.uint8).reshape(*size, channels)


def _opened(file: IO[bytes]) -> Image.Image:
    from PIL import Image

    # Only these formats, whatever the suffix says: a file named .png may hold a program for Ghostscript.
    opened = Image.open(file, formats=_formats())
    width, height = opened.size
    if width * height > MAX_PIXELS:
        raise DataError(f"{width} × {height} pixels, more than {MAX_PIXELS:,}")
    return opened


def _check_mode(image: Image.Image) -> None:
    if image.mode == "F":
        raise DataError("floating-point pixels, whose range is not known")
    if image.mode == "I":
        values = np.asarray(image)
        low, high = values.min(), values.max()
        if low < 0 or high > 65535:
            raise DataError(f"pixel values from {low} to {high}, beyond 16 bits")


def _plain(image: Image.Image, mode: str) -> Image.Image:
    """As 8-bit ``L`` or ``RGB``, on white."""
    from PIL import Image

    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    elif image.has_transparency_data:
        solid = image.convert("RGBA")
        white = Image.new("RGBA", solid.size, "white")
        image = Image.alpha_composite(white, solid)
        return image.convert("RGB").convert(mode)
    if image.mode == "P" and mode == "L":
        return image.convert("RGB").convert(mode)
    return image.convert(mode)


def _is_grey_palette(image: Image.Image) -> bool:
    if image.mode != "P" or image.palette is None:
        return False
    colours = np.frombuffer(image.convert("RGBA").tobytes(), np.uint8).reshape(-1, 4)[:, :3]
    return bool((colours == colours[:, :1]).all())


@contextlib.contextmanager
def _reasons() -> Iterator[None]:
    """Turns whatever Pillow raises on a damaged file into one short `DataError`."""
    from PIL import UnidentifiedImageError

    try:
        yield
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError("no image, or empty") from None
    except Exception as error:  # damaged files make Pillow's readers raise almost anything: struct.error, KeyError …
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(reason or type(error).__name__) from None
