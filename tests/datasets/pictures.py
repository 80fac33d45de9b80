"""Generated pictures for the tests: each has a colour of its own, so that it is known again after decoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def picture(number: int, height: int = 8, width: int = 8, channels: int = 3) -> np.ndarray:
    """uint8 (height, width[, 3]): smooth, and different for every number."""
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [(rows * 5 + columns * 3 + number * 17 + plane * 40) % 256 for plane in range(channels)]
    image = np.stack(planes, -1).astype(np.uint8)
    return image[..., 0] if channels == 1 else image


def write(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def class_folders(root: Path, count: int = 8, names: tuple[str, ...] = ("cat", "dog"), **shape: int) -> Path:
    """`count` PNG files a class; file `i` of class `c` is picture ``c * count + i``."""
    for label, name in enumerate(names):
        for i in range(count):
            write(root / name / f"{i:03}.png", picture(label * count + i, **shape))
    return root
