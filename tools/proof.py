"""``python tools/proof.py PART … --data DIR``: does the search find anything?

search     a search by the predictor against random search, side by side, a core each, for the same time
top        the five best that a search found against five random ones with as many multiply-adds, all fully trained
rank       how the reward after a short training and the plain accuracy rank blocks by their accuracy after a full one
transfer   a block and a cell found on small grey images, trained on Tiny ImageNet, against random ones
table      what is done so far, as tables

DIR holds fashion_mnist.npz and, for transfer, tiny_imagenet.npz, in the layout of keras.datasets. What is done is kept
in --work, so that an interrupted comparison goes on. No test image is looked at before the last accuracy of a training.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import proof_tables
from filelock import FileLock, Timeout
from proof_genotypes import MULTIPLIER, alike, found, frame_of
from proof_runs import Run, perform, search_run, train_run
from rich.console import Console

from automl_cells.builder import template
from automl_cells.errors import AutoMLCellsError, SearchError
from automl_cells.files import replacing, write_atomically
from automl_cells.genotypes import Genotype, write
from automl_cells.search import read_run
from automl_cells.search.trials import Trial

PARTS = ("search", "top", "rank", "transfer")
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
FIRST = ("blockqnn", 0)  # the search whose best five are compared with five random ones
TOP = 5
BLOCKS = 30  # of the rank correlation
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


def do_search(proof: Proof) -> None:
    """Both searches of each space and seed."""
    proof.halve()
    for where, seeds in SPACES:
        for seed in seeds:
            perform(proof.searches(where, seed), proof.console, together=True)


def do_top(proof: Proof) -> None:
    """What the searches hand over, and of the first one five against five."""
    perform(list(dict.fromkeys([*winners(proof), *top_runs(proof)])), proof.console)


def winners(proof: Proof) -> Iterable[Run]:
    """The training of the best of every search."""
    for where, seeds in SPACES:
        for seed, how in itertools.product(seeds, (0, 1)):
            yield winner(proof, where, seed, how)


def winner(proof: Proof, where: str, seed: int, how: int) -> Run:
    """The training of the best that the guided (0) or the random search (1) found."""
    (best,) = found(proof.searches(where, seed)[how])
    # The best of the first search is among its best five, too.
    name = "top-found-0" if (where, seed, how) == (*FIRST, 0) else f"best-{where}-{('guided', 'random')[how]}-{seed}"
    return proof.training(name, best, where, seed)


def top_runs(proof: Proof) -> list[Run]:
    """Five found and five random ones."""
    where, seed = FIRST
    best = found(proof.searches(where, seed)[0], TOP)
    others = alike(where, best, frame_of(where), seed)
    return [
        proof.training(f"top-{side}-{number}", genotype, where, number)
        for side, side_genotypes in (("found", best), ("random", others))
        for number, genotype in enumerate(side_genotypes)
    ]


def rank_trials(proof: Proof) -> list[Trial]:
    """The first blocks that the random searches trained."""
    by_hash: dict[str, Trial] = {}
    for _, random in (proof.searches("blockqnn", seed) for seed in dict(SPACES)["blockqnn"]):
        found(random)  # that it is done
        for trial in read_run(random.out)[1]:
            if trial.status == "done":
                by_hash.setdefault(trial.genotype.hash, trial)
    return list(by_hash.values())[:BLOCKS]


def rank_runs(proof: Proof) -> list[Run]:
    """Their full trainings."""
    return [
        proof.training(f"rank-{number:02}", trial.genotype, "blockqnn", 0)
        for number, trial in enumerate(rank_trials(proof))
    ]


def transfer_runs(proof: Proof) -> list[Run]:
    """Found on clothes and random: blocks of three searches, the cell of one with three seeds of the training."""
    blocks = [found(proof.searches("blockqnn", seed)[0])[0] for seed in dict(SPACES)["blockqnn"]]
    cells = found(proof.searches("nasnet", 0)[0]) * len(blocks)
    runs = []
    for where, kind, best in (("blockqnn", "block", blocks), ("nasnet", "cell", cells)):
        frame = template(
            "imagenet", kind=kind, repeats=1, filters=TINY_FILTERS[kind], input_shape=(64, 64, 3), classes=200
        )
        for seed, genotype in enumerate(best):
            (other,) = alike(where, [genotype], frame, 100 + seed)
            runs += [
                proof.tiny_training(f"tiny-{kind}-found-{seed}", genotype, seed),
                proof.tiny_training(f"tiny-{kind}-random-{seed}", other, seed),
            ]
    return runs


DO = {
    "search": do_search,
    "top": do_top,
    "rank": lambda proof: perform(rank_runs(proof), proof.console),
    "transfer": lambda proof: perform(transfer_runs(proof), proof.console),
}


def table(proof: Proof) -> dict[str, object]:
    """What is done so far; see `proof_tables`."""
    rows: list[dict[str, Any]] = []
    result: dict[str, object] = {"search": rows}
    done = []
    for where, seeds in SPACES:
        for seed in seeds:
            pair = proof.searches(where, seed)
            if all(run.done for run in pair):
                done.append(where)
                trained = [winner(proof, where, seed, how) for how in (0, 1)]
                rows.append(proof_tables.searched(where, seed, pair, trained))
    if done.count("blockqnn") == len(dict(SPACES)["blockqnn"]):
        result["top"] = sides(top_runs(proof), "top-{}-")
        result["rank"] = proof_tables.ranked(rank_trials(proof), rank_runs(proof))
        if "nasnet" in done:
            runs = transfer_runs(proof)
            result["transfer"] = {kind: sides(runs, f"tiny-{kind}-{{}}-") for kind in ("block", "cell")}
    return result


def sides(runs: Sequence[Run], names: str) -> dict[str, Any]:
    """The trainings of found and of random ones, which have these names."""
    return {
        side: proof_tables.accuracies([run for run in runs if run.out.name.startswith(names.format(side))])
        for side in ("found", "random")
    }


@contextmanager
def working(folder: Path) -> Iterator[None]:
    """Keep others out of the work folder.

    Raises:
        SearchError: somebody works in it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SearchError(f"Expected a folder for --work. Received: {folder} ({error.strerror})") from None
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise SearchError(f"Expected a work folder that no other run is using. Received: {folder}") from None


def main() -> None:
    """Do the parts that are asked for; bad input is one line on standard error and status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", metavar="PART", choices=(*PARTS, "table"), help="what to do, in this order")
    parser.add_argument("--data", type=Path, required=True, help="folder of the .npz files")
    parser.add_argument("--work", type=Path, default=Path("runs/proof"), help="what is done is kept here")
    parser.add_argument("--minutes", type=float, default=8.0, help="of each search (default: 8)")
    parser.add_argument("--epochs", type=int, default=30, help="of a full training (default: 30)")
    parser.add_argument("--tiny-epochs", type=int, default=12, help="on Tiny ImageNet (default: 12)")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    options = parser.parse_args()
    proof = Proof(
        options.data.resolve(),
        options.work.resolve(),
        options.minutes,
        options.epochs,
        options.tiny_epochs,
        Console(highlight=False),
    )
    try:
        with working(proof.work):
            for part in options.parts:
                if part != "table":
                    DO[part](proof)
            measured = table(proof)
    except AutoMLCellsError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    text = json.dumps(measured, indent=1)
    print(text)
    if options.json:
        write_atomically(options.json, text + "\n")


if __name__ == "__main__":
    main()
