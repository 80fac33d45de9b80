"""What ``tools/proof.py`` compares: the images, the searches and the trainings, each as a run with all its options."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from proof_genotypes import MULTIPLIER
from proof_runs import Run, search_run, train_run
from rich.console import Console

from automl_cells.errors import SearchError
from automl_cells.files import replacing
from automl_cells.genotypes import Genotype, write

GUIDED = "predictor_guided"
SPACES = (("blockqnn", (0, 1, 2)), ("nasnet", (0,)), ("metaqnn", (0,)))
FILTERS = {"blockqnn": ("--filters", "8,16,32"), "nasnet": ("--filters", "8,16,32"), "metaqnn": ()}  # of trainings
SEARCH_OPTIONS = {
    "blockqnn": ("--filters", "8,16,32", "--max-flops", "5000000"),
    "nasnet": ("--filters", "4,8,16", "--protocol", "blockqnn", "--max-flops", "1000000"),
    "metaqnn": ("--space-option", f"filter_multiplier={MULTIPLIER}", "--max-flops", "5000000"),
}
"""So that a candidate takes seconds of a core; of random blocks half have more than 70 million multiply-adds. Cells are
of so many operations that they are searched on images of 14 x 14, with BlockQNN's 12 epochs instead of NASNet's 20."""
LONGER = {"nasnet": 1.5}  # times as many minutes as the others
RECIPE = ("--recipe", "fast_no_flip")
TINY_FILTERS = {"block": (16, 32, 64, 128), "cell": (16, 32, 64)}


@dataclass(frozen=True)
class Proof:
    """What is compared, on which data, for how long."""

    data: Path
    work: Path
    minutes: float
    epochs: int
    tiny_epochs: int
    console: Console

    @property
    def fashion(self) -> str:
        """4,000 images of clothes."""
        return f"npz:{self.data / 'fashion_mnist.npz'}?train=4000&seed=0"

    @property
    def halved(self) -> Path:
        """The same images with 14 x 14 pixels."""
        return self.work / "fashion_14.npz"

    def halve(self) -> None:
        """Make them: means of four pixels.

        Raises:
            SearchError: no images of clothes.
        """
        if self.halved.is_file():
            return
        whole = self.data / "fashion_mnist.npz"
        try:
            with np.load(whole, allow_pickle=False) as archive:
                arrays = dict(archive)
            for name in ("x_train", "x_test"):
                quarters = arrays[name].reshape(-1, 14, 2, 14, 2).mean((2, 4))
                arrays[name] = quarters.round().astype(np.uint8)
        except (OSError, ValueError, LookupError, zipfile.BadZipFile):
            raise SearchError(f"Expected Fashion-MNIST in the layout of keras.datasets. Received: {whole}") from None
        with replacing(self.halved) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @property
    def tiny(self) -> str:
        """Tiny ImageNet, 200 classes of 80 images."""
        return f"npz:{self.data / 'tiny_imagenet.npz'}"

    def searches(self, where: str, seed: int) -> tuple[Run, Run]:
        """The guided search and the random one, which run side by side."""
        images = f"npz:{self.halved}?train=4000&seed=0" if where == "nasnet" else self.fashion
        options = ("--dataset", images, *SEARCH_OPTIONS[where])
        minutes = self.minutes * LONGER.get(where, 1)
        guided, random = (search_run(self.work, where, how, seed, minutes, options) for how in (GUIDED, "random"))
        return guided, random

    def colour_search(self, seed: int) -> Run:
        """A guided search of blocks on 4,000 images of CIFAR-10."""
        options = ("--dataset", f"npz:{self.data / 'cifar10.npz'}?train=4000&seed=0", *SEARCH_OPTIONS["blockqnn"])
        return search_run(self.work / "cifar10", "blockqnn", GUIDED, seed, self.minutes, options)

    def training(self, name: str, genotype: Genotype, where: str, seed: int) -> Run:
        """A full training on the images of clothes; blocks and chains in a frame as large as the one of the search."""
        size = () if where == "metaqnn" else ("--repeats", "1", *FILTERS[where])
        options = ("--dataset", self.fashion, *RECIPE, "--epochs", str(self.epochs), *size)
        return train_run(self.work, name, self._file(genotype), seed, options)

    def tiny_training(self, name: str, genotype: Genotype, seed: int) -> Run:
        """A training on Tiny ImageNet."""
        filters = ",".join(map(str, TINY_FILTERS[genotype.kind]))
        size = ("--template", "imagenet", "--repeats", "1", "--filters", filters)
        options = ("--dataset", self.tiny, "--recipe", "fast", "--epochs", str(self.tiny_epochs), *size)
        return train_run(self.work, name, self._file(genotype), seed, options)

    def _file(self, genotype: Genotype) -> str:
        path = self.work / "genotypes" / f"{genotype.hash.partition(':')[2][:16]}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(genotype, path)
        return str(path)
