"""Segmentation on a pretrained body: which pixel belongs to which digit, from a handful of scenes.

    python examples/segmentation.py [--out segmentation.png]

Scenes of 64×64 pixels are made on the fly: real handwritten digits (scikit-learn's; MNIST's if the folder in
AUTOML_CELLS_DATA has mnist.npz and the shelf a body for it) at random places and sizes on a textured background. Every
pixel has a class: background, 0, …, 9. A small decoder stands on the feature maps of all scales of a zoo entry
(`features=True`), once with the entry's weights and once with random ones, and learns from a few scenes. What counts
is the mean over the classes of intersection over union (mIoU) on other scenes, made of digits that are in none of the
training scenes.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import automl_cells as ac
from automl_cells.cli.quiet import import_framework
from automl_cells.errors import AutoMLCellsError
from automl_cells.training import load_weights
from automl_cells.zoo import Entry, resolve

import_framework()  # without its start-up notes
import keras  # noqa: E402

SIDE = 64
CLASSES = 11  # background and ten digits
BATCH = 4


class Scenes(NamedTuple):
    """Images (n, 64, 64, 1) float32 and the class of each pixel (n, 64, 64): 0 for background, 1 + d for digit d."""

    images: np.ndarray
    truth: np.ndarray


def make_scenes(digits: np.ndarray, labels: np.ndarray, count: int, seed: int) -> Scenes:
    """Paste digits on textured backgrounds, about a third of a scene; they may touch and hide a little of each other.

    Args:
        digits: (n, side, side) from 0 to 1.
        labels: (n,) their classes 0 to 9.
        count: how many scenes.
        seed: of everything random.

    Returns:
        Scenes with pixels from 0 to 1.
    """
    random = np.random.default_rng(seed)
    images, truth = np.empty((count, SIDE, SIDE), np.float32), np.zeros((count, SIDE, SIDE), np.int64)
    for image, classes in zip(images, truth, strict=True):
        coarse = random.uniform(0, 0.5, (9, 9))  # a texture: coarse noise, enlarged
        image[:] = enlarged(coarse, SIDE) * random.uniform(0.4, 1) + random.normal(0, 0.06, (SIDE, SIDE))
        covered = 0
        for _ in range(100):
            if covered >= SIDE * SIDE // 3:
                break
            chosen = random.integers(len(digits))
            side = min(SIDE, round(digits.shape[1] * random.uniform(0.9, 1.5)))
            top, left = random.integers(0, SIDE - side, 2, endpoint=True)
            digit = enlarged(digits[chosen], side)
            place = slice(top, top + side), slice(left, left + side)
            if np.mean(classes[place] > 0) > 0.05:
                continue
            image[place] = image[place] * (1 - digit) + digit * random.uniform(0.7, 1)
            classes[place][digit > 0.4] = 1 + labels[chosen]
            covered += side * side
    return Scenes(np.clip(images, 0, 1)[..., None], truth)


def enlarged(image: np.ndarray, side: int) -> np.ndarray:
    """A square image at another size, bilinearly."""
    places = np.clip((np.arange(side) + 0.5) * len(image) / side - 0.5, 0, len(image) - 1)
    low = np.minimum(places.astype(int), len(image) - 2)
    part = places - low
    rows = image[low] * (1 - part)[:, None] + image[low + 1] * part[:, None]
    return rows[:, low] * (1 - part) + rows[:, low + 1] * part


def mean_iou(truth: np.ndarray, predicted: np.ndarray, classes: int = CLASSES) -> float:
    """The mean over the classes of |truth ∩ predicted| / |truth ∪ predicted|, of classes that occur in either."""
    pairs = np.bincount(classes * truth.ravel() + predicted.ravel(), minlength=classes**2).reshape(classes, classes)
    both = np.diag(pairs)
    either = pairs.sum(0) + pairs.sum(1) - both
    return float(np.mean(both[either > 0] / either[either > 0]))


def segmenter(entry: Entry, pretrained: bool, width: int = 32) -> tuple[keras.Model, keras.Model]:
    """The network, normalised scenes → probabilities (n, 64, 64, 11), and the body in it.

    The body's maps of strides 1, 2, 4 … are merged from the coarsest to the finest, as in a feature pyramid network.
    """
    shape = (SIDE, SIDE, entry.template.input_shape[2])
    body = ac.build(entry.genotype, entry.template, input_shape=shape, include_top=False, features=True)
    if pretrained:
        load_weights(body, entry.weights, subset=True)
    layers = keras.layers
    *finer, merged = [layers.Conv2D(width, 1, use_bias=False)(each) for each in body.outputs]
    for each in reversed(finer):
        merged = layers.Add()([each, layers.UpSampling2D(interpolation="bilinear")(merged)])
        merged = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(merged))
        merged = layers.Conv2D(width, 3, padding="same", use_bias=False)(merged)
    merged = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(merged))
    outputs = layers.Conv2D(CLASSES, 1, activation="softmax", dtype="float32")(merged)
    return keras.Model(body.input, outputs), body


def train(
    network: keras.Model,
    body: keras.Model,
    pretrained: bool,
    inputs: np.ndarray,
    truth: np.ndarray,
    epochs: int,
    tick: Any,
) -> None:
    """A quarter of the epochs with the pretrained body frozen, then all of the network; from scratch, all at once."""
    tell = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: tick())
    decoder = epochs // 4 if pretrained else 0
    for trainable, count in ((False, decoder), (True, epochs - decoder)):
        if count:
            body.trainable = trainable
            steps = count * max(1, len(inputs) // BATCH)
            rate = keras.optimizers.schedules.CosineDecay(
                0.0, steps, 0.0, warmup_target=0.004, warmup_steps=steps // 10
            )
            network.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), "sparse_categorical_crossentropy")
            network.fit(inputs, truth, batch_size=BATCH, epochs=count, verbose=0, callbacks=[tell])


def digits_for(entry: Entry) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], float]:
    """Digits of the entry's size, from 0 to 1, with labels, of the training and the test part; the brightest pixel."""
    if entry.template.input_shape[0] == 28:
        data, brightest = ac.load_dataset(f"npz:{Path(os.environ['AUTOML_CELLS_DATA']) / 'mnist.npz'}"), 255.0
    else:
        data, brightest = ac.load_dataset("digits"), 16.0
    parts = [(x[..., 0].astype(np.float32) / brightest, y) for x, y in
             ((np.asarray(data.x_train), data.y_train), (np.asarray(data.x_test), data.y_test))]  # fmt: skip
    return parts[0], parts[1], brightest


def default_entry() -> str:
    """The MNIST body where both it and MNIST are at hand, else that of scikit-learn's digits."""
    folder = os.environ.get("AUTOML_CELLS_DATA")
    if folder and (Path(folder) / "mnist.npz").is_file():
        try:
            return str(resolve("blockqnn_mnist/mnist").address)
        except AutoMLCellsError:
            pass
    return "blockqnn_found_digits/digits"


def compare(
    entry: Entry, scenes: int, test_scenes: int, epochs: int, seeds: int, tick: Callable[[], None]
) -> tuple[np.ndarray, Scenes, np.ndarray]:
    """Per cent mIoU (seeds, 2) of pretrained and from scratch, the test scenes, the last pretrained predictions."""
    training, test, brightest = digits_for(entry)
    held_out = make_scenes(*test, test_scenes, seed=10_000)
    found, shown = np.empty((seeds, 2)), np.empty(0)
    for seed in range(seeds):
        few = make_scenes(*training, scenes, seed)
        normalise = entry.preprocessing  # as the body learnt to see digits
        for column, pretrained in enumerate((True, False)):
            keras.utils.set_random_seed(seed)
            network, body = segmenter(entry, pretrained)
            train(network, body, pretrained, normalise(few.images * brightest), few.truth, epochs, tick)
            predicted = network.predict(normalise(held_out.images * brightest), batch_size=BATCH, verbose=0).argmax(-1)
            found[seed, column] = 100 * mean_iou(held_out.truth, predicted)
            shown = predicted if pretrained else shown
    return found, held_out, shown


def picture(scenes: Scenes, predicted: np.ndarray, path: Path, rows: int = 4) -> None:
    """Scene, truth and prediction side by side, as a PNG."""
    from matplotlib.figure import Figure

    rows = min(rows, len(predicted))
    figure = Figure(figsize=(6, 2 * rows), layout="constrained")
    for row, axes in enumerate(np.atleast_2d(figure.subplots(rows, 3))):
        for axis, image, title in zip(
            axes, (scenes.images[row, ..., 0], scenes.truth[row], predicted[row]), ("scene", "truth", "prediction"),
            strict=True,
        ):  # fmt: skip
            classes = {} if title == "scene" else {"cmap": "tab20", "vmin": 0, "vmax": 19, "interpolation": "nearest"}
            axis.imshow(image, **({"cmap": "gray"} | classes))
            axis.set_axis_off()
            if not row:
                axis.set_title(title)
    figure.savefig(path, dpi=100)


def main(arguments: list[str] | None = None) -> np.ndarray:
    """Compare, print the table, save the picture."""
    parser = argparse.ArgumentParser(description="Segmentation of digits: a pretrained body against random weights.")
    parser.add_argument("--entry", default=None, help="zoo entry of a body of grey digits")
    parser.add_argument("--scenes", type=int, default=16, help="training scenes")
    parser.add_argument("--test-scenes", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("segmentation.png"))
    given = parser.parse_args(arguments)
    entry = resolve(given.entry or default_entry())
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(f"{2 * given.seeds} trainings", total=2 * given.seeds * given.epochs)
        found, held_out, predicted = compare(
            entry, given.scenes, given.test_scenes, given.epochs, given.seeds, lambda: progress.advance(task)
        )
    table = Table("seed", "pretrained mIoU %", "from scratch mIoU %", title=f"{given.scenes} scenes, {entry.name}")
    for seed, (with_weights, without) in enumerate(found):
        table.add_row(str(seed), f"{with_weights:.1f}", f"{without:.1f}")
    table.add_row("mean", *[f"{value:.1f}" for value in found.mean(0)])
    Console().print(table)
    picture(held_out, predicted, given.out)
    print(f"Picture: {given.out}")
    return found


if __name__ == "__main__":
    main()
