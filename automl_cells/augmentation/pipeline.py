"""A batch through the steps of an augmentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from automl_cells.augmentation.affine import Affine, affine
from automl_cells.augmentation.color import color_jitter
from automl_cells.augmentation.erasing import cutout
from automl_cells.augmentation.mixing import mixup
from automl_cells.augmentation.pixels import horizontal_flip, pad_crop
from automl_cells.augmentation.sampling import resized_crop, upsample_crop, upsampled
from automl_cells.augmentation.steps import Augmentation

_IMAGES_ONLY: dict[str, Callable[[np.ndarray, np.random.Generator, Any], np.ndarray]] = {
    "horizontal_flip": horizontal_flip,
    "pad_crop": pad_crop,
    "upsample_crop": upsample_crop,
    "resized_crop": resized_crop,
    "cutout": cutout,
    "color_jitter": color_jitter,
}


def augment(
    images: np.ndarray, targets: np.ndarray, steps: Sequence[Augmentation], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A batch after the steps, in order. What is given is not changed; without steps it is handed back as it is.

    All depends on `rng` only, by as many draws as the batch needs: the same generator, images and steps give the same
    batch, bit for bit, under any framework. Translations, rotations and zooms that follow each other with the same
    fill are one resampling.

    Args:
        images: uint8 or float32 (n, H, W, C).
        targets: float32 (n, classes); only mixup changes them.
        steps: what to do.
        rng: where random numbers come from.

    Returns:
        The images (n, H, W, C), of the same type after crops, flips and cutout, float32 after a step that computes new
        pixel values; and the targets, float32 (n, classes).

    Raises:
        TrainingError: a step does not suit the size of the images.
    """
    for fill, run in groupby(steps, key=lambda step: step.fill if isinstance(step, Affine) else None):
        if fill is not None:
            images = affine(images, rng, list(run))  # type: ignore[arg-type]
            continue
        for step in run:
            if step.op == "mixup":
                images, targets = mixup(images, targets, rng, step)
            else:
                images = _IMAGES_ONLY[step.op](images, rng, step)
    return images, targets


def check_steps(steps: Sequence[Augmentation], height: int, width: int) -> None:
    """Refuse steps that do not suit images of that height and width in pixels, before there is any batch.

    Raises:
        TrainingError: a step does not suit the size of the images.
    """
    for step in steps:
        if step.op == "upsample_crop":
            upsampled(step, height, width)
