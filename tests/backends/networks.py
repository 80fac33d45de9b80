"""The networks whose outputs are compared between backends, and the images that they are shown."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from automl_cells.builder import build
from automl_cells.datasets import load
from automl_cells.genotypes import Block, BlockGenotype, Cell, CellGenotype, EnsembleGenotype
from automl_cells.genotypes import load as load_genotype
from automl_cells.zoo import Entry, blockqnn_cifar_small

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "zoo" / "blockqnn_found_digits" / "digits-v1"
IMAGES = 64


def digits() -> np.ndarray:
    """The first test images, raw."""
    return load("digits").x_test[:IMAGES]


def noise() -> np.ndarray:
    """Normalised images of the shape of CIFAR, each with its own colour and contrast."""
    random = np.random.default_rng(1)
    images = random.normal(size=(8, 32, 32, 3)) * random.uniform(0.3, 2, (8, 1, 1, 1))
    return (images + random.normal(size=(8, 1, 1, 3))).astype(np.float32)


def random_network(weights: Path | None = None) -> keras.Model:
    """BLOCK-QNN-S as published, in a small frame, by its constructor; with the weights of a file if there is one."""
    return blockqnn_cifar_small(weights=weights)


def small_networks() -> dict[str, keras.Model]:
    """NASNet-A for images of any size with the borders of ``imagenet_mobile``, every other operation once, chains.

    The operations of blocks that BlockQNN's table 1 lacks are in ``attention``.
    """
    blocks = (
        Block(0, 1, "conv_1x3_3x1", "conv_1x7_7x1", "add"),
        Block(1, 0, "dil_conv_3x3", "max_pool_5x5", "concat"),
        Block(2, 0, "conv_3x3", "max_pool_7x7", "add"),
        Block(3, 1, "conv_1x1", "identity", "add"),
    )
    rest = CellGenotype(Cell(blocks), Cell(blocks))
    codes = [(1, 8, 3, 0, 0), (2, 9, 3, 1, 0), (3, 10, 0, 2, 0), (4, 11, 0, 3, 0), (5, 8, 5, 0, 0), (6, 7, 0, 0, 0)]
    chains = [load_genotype(name) for name in ("metaqnn_cifar10_4", "C(64,3,1),P(3,2),C(64,3,1),GAP,SM")]
    narrow = {"input_shape": (32, 32, 3), "classes": 10, "filter_multiplier": 1 / 16}
    sizes = {"repeats": 1, "filters": (4, 8, 16), "classes": 10}
    return {
        "nasnet_a": build("nasnet_a", "imagenet_mobile", input_shape=(None, None, 3), **sizes),
        "operations": build(rest, "cifar", input_shape=(32, 32, 3), **sizes),
        "attention": build(BlockGenotype.from_codes(codes), "cifar", input_shape=(32, 32, 3), **sizes),
        "chain": build(chains[0], **narrow),
        "ensemble": build(EnsembleGenotype(tuple(chains)), **narrow),
    }


def randomise(model: keras.Model) -> None:
    """Random kernels, and statistics of batch normalisation far from their start, so that they are seen."""
    random = np.random.default_rng(0)
    for variable in model.weights:
        kind = variable.path.rpartition("/")[2]
        if kind == "depthwise_kernel":
            value = random.normal(size=variable.shape) * np.sqrt(2 / np.prod(variable.shape[:2]))
        elif kind in ("kernel", "pointwise_kernel"):
            gain = 0.1 if len(variable.shape) == 2 else 2  # of the classifier: its softmax shall not saturate
            value = random.normal(size=variable.shape) * np.sqrt(gain / np.prod(variable.shape[:-1]))
        elif kind in ("gamma", "moving_variance"):
            value = random.uniform(0.5, 1.5, variable.shape)
        else:
            value = random.normal(size=variable.shape) * 0.2
        variable.assign(value.astype(np.float32))


def entry_outputs() -> np.ndarray:
    """The probabilities of the entry on the shelf for the digits."""
    entry = Entry.read(ENTRY)
    return np.asarray(entry.load_model().predict_on_batch(entry.preprocessing(digits())))
