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
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import proof_tables
from proof_runs import Run, perform, search_run, train_run
from rich.console import Console

from automl_cells.builder import cost, plan, template
from automl_cells.builder.template import Template
from automl_cells.errors import AutoMLCellsError
from automl_cells.files import replacing, write_atomically
from automl_cells.genotypes import Genotype, write
from automl_cells.search import best_trials, read_run
from automl_cells.search.trials import Trial
from automl_cells.spaces import space
from automl_cells.strategies import strategy

PARTS = ("search", "top", "rank", "transfer")
GUIDED = "predictor_guided"
SPACES = (("blockqnn", (0, 1, 2)), ("nasnet", (0,)), ("metaqnn", (0,)))
FILTERS = {"blockqnn": ("--filters", "8,16,32"), "nasnet": ("--filters", "8,16,32"), "metaqnn": ()}  # of trainings
MULTIPLIER = 0.125  # of the filters of chains
SEARCH_OPTIONS = {
    "blockqnn": ("--filters", "8,16,32", "--max-flops", "5000000"),
    "nasnet": ("--filters", "4,8,16", "--protocol", "blockqnn", "--max-flops", "1000000"),
    "metaqnn": ("--space-option", f"filter_multiplier={MULTIPLIER}", "--max-flops", "5000000"),
}
"""So that a candidate takes seconds of a core; of random blocks half have more than 70 million multiply-adds. Cells are
of so many operations that they are searched on images of 14 x 14, with BlockQNN's 12 epochs instead of NASNet's 20."""
LONGER = {"nasnet": 1.5}  # times as many minutes as the others
IMAGE = (28, 28, 1)
FIRST = ("blockqnn", 0)  # the search whose best five are compared with five random ones
TOP = 5
BLOCKS = 30  # of the rank correlation
DRAWS = 400  # random genotypes among which those with as many multiply-adds are looked for
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

    def half_as_large(self) -> str:
        """The same images with 14 x 14 pixels, means of four."""
        path = self.work / "fashion_14.npz"
        if not path.is_file():
            with np.load(self.data / "fashion_mnist.npz", allow_pickle=False) as archive:
                arrays = dict(archive)
            for name in ("x_train", "x_test"):
                quarters = arrays[name].reshape(-1, 14, 2, 14, 2).mean((2, 4))
                arrays[name] = quarters.round().astype(np.uint8)
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as partial, partial.open("wb") as file:
                np.savez_compressed(file, **arrays)
        return f"npz:{path}?train=4000&seed=0"

    @property
    def tiny(self) -> str:
        """Tiny ImageNet, 200 classes of 80 images."""
        return f"npz:{self.data / 'tiny_imagenet.npz'}"

    def searches(self, where: str, seed: int) -> tuple[Run, Run]:
        """The guided search and the random one, which run side by side."""
        images = self.half_as_large() if where == "nasnet" else self.fashion
        options = ("--dataset", images, *SEARCH_OPTIONS[where])
        minutes = self.minutes * LONGER.get(where, 1)
        guided, random = (search_run(self.work, where, how, seed, minutes, options) for how in (GUIDED, "random"))
        return guided, random

    def training(self, name: str, genotype: Genotype, where: str, seed: int) -> Run:
        """A full training on the images of clothes, in a frame as large as the one of the search."""
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


def found(run: Run, count: int = 1) -> list[Genotype]:
    """The best genotypes of a search that was done."""
    return [trial.genotype for trial in best_trials(read_run(run.out)[1], count)]


def alike(where: str, wanted: Sequence[Genotype], frame: Template, seed: int) -> list[Genotype]:
    """For each genotype a random one whose network has about as many multiply-adds; no two are the same."""

    def logarithm(genotype: Genotype) -> float:
        return math.log(cost(plan(genotype, frame)).flops or 1)

    options: dict[str, Any] = {"input_shape": IMAGE, "filter_multiplier": MULTIPLIER} if where == "metaqnn" else {}
    place = space(where, **options)
    draw = strategy("random", place, DRAWS, seed)
    rng = np.random.default_rng([seed, 4242])
    drawn = {proposal.genotype.hash: proposal.genotype for proposal in (draw.ask(rng, i) for i in range(DRAWS))}
    for genotype in wanted:
        drawn.pop(genotype.hash, None)
    flops = {digest: logarithm(genotype) for digest, genotype in drawn.items()}
    chosen = []
    for genotype in wanted:
        target = logarithm(genotype)
        nearest = min(flops, key=lambda digest: abs(flops[digest] - target))
        flops.pop(nearest)
        chosen.append(drawn[nearest])
    return chosen


def frame_of(where: str) -> Template:
    """The frame of the trainings on images of clothes."""
    if where == "metaqnn":
        return template("chain", kind="chain", input_shape=IMAGE, classes=10)
    kind = "block" if where == "blockqnn" else "cell"
    return template("cifar", kind=kind, repeats=1, filters=(8, 16, 32), input_shape=IMAGE, classes=10)


def do_search(proof: Proof) -> None:
    """Both searches of each space and seed."""
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
            (best,) = found(proof.searches(where, seed)[how])
            yield proof.training(winner_name(where, seed, how), best, where, seed)


def winner_name(where: str, seed: int, how: int) -> str:
    """Of the training of the best that the guided (0) or the random search (1) found."""
    if (where, seed, how) == (*FIRST, 0):
        return "top-found-0"  # the same training
    return f"best-{where}-{('guided', 'random')[how]}-{seed}"


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
    result: dict[str, object] = {}
    searches = [(where, seed, proof.searches(where, seed)) for where, seeds in SPACES for seed in seeds]
    done = [(where, seed, pair) for where, seed, pair in searches if all(run.ended for run in pair)]
    result["search"] = [
        proof_tables.searched(
            where, seed, pair, [train_run(proof.work, winner_name(where, seed, how), "", seed, ()) for how in (0, 1)]
        )
        for where, seed, pair in done
    ]
    trainings = proof.work / "trainings"
    result["top"] = {side: proof_tables.accuracies(trainings, f"top-{side}-*") for side in ("found", "random")}
    ranked = [path.parent for path in sorted(trainings.glob("rank-*/done.json"))]
    if ranked:
        result["rank"] = proof_tables.ranked(rank_trials(proof), ranked)
    result["transfer"] = {
        f"{kind}, {side}": proof_tables.accuracies(trainings, f"tiny-{kind}-{side}-*")
        for kind, side in itertools.product(("block", "cell"), ("found", "random"))
    }
    return result


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
