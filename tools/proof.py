"""``python tools/proof.py PART … --data DIR``: does the search find anything?

search     a search by the predictor against random search, side by side, a core each, for the same time
top        the five best that a search found against five random ones with as many multiply-adds, all fully trained
rank       how the reward after a short training and the plain accuracy rank blocks by their accuracy after a full one
transfer   blocks and a cell found on small grey images, and blocks found on CIFAR-10, trained on Tiny ImageNet, against
           random ones with as many multiply-adds
table      what is done so far, as tables

DIR holds fashion_mnist.npz and, for transfer, cifar10.npz and tiny_imagenet.npz, in the layout of keras.datasets. What
is done is kept in --work, so that an interrupted comparison goes on. No test image is looked at before the last
accuracy of a training.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import proof_tables
from filelock import FileLock, Timeout
from option_checks import at_least, check_file
from proof_comparison import SPACES, TINY_FILTERS, Proof
from proof_genotypes import alike, found, frame_of
from proof_runs import Run, perform
from rich.console import Console

from automl_cells.builder import template
from automl_cells.errors import AutoMLCellsError, SearchError
from automl_cells.files import write_atomically
from automl_cells.search import read_run
from automl_cells.search.trials import Trial

PARTS = ("search", "top", "rank", "transfer")
FIRST = ("blockqnn", 0)  # the search whose best five are compared with five random ones
TOP = 5
BLOCKS = 30  # of the rank correlation


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


def transferred(proof: Proof) -> dict[str, list[Run]]:
    """The searches whose best are transferred: blocks of three, the cell of one with three seeds of its training."""
    seeds = dict(SPACES)["blockqnn"]
    return {
        "block": [proof.searches("blockqnn", seed)[0] for seed in seeds],
        "cell": [proof.searches("nasnet", 0)[0]] * len(seeds),
        "colour": [proof.colour_search(seed) for seed in seeds],
    }


def transfer_runs(proof: Proof, name: str) -> list[Run]:
    """What was found by these searches on Tiny ImageNet, and random ones."""
    best = [genotype for search in transferred(proof)[name] for genotype in found(search)]
    kind, draw = best[0].kind, 200 if name == "colour" else 100  # draws others, so that no random one serves twice
    frame = template("imagenet", kind=kind, repeats=1, filters=TINY_FILTERS[kind], input_shape=(64, 64, 3), classes=200)
    runs = []
    for seed, genotype in enumerate(best):
        (other,) = alike({"block": "blockqnn", "cell": "nasnet"}[kind], [genotype], frame, draw + seed)
        for side, one in (("found", genotype), ("random", other)):
            runs.append(proof.tiny_training(f"tiny-{name}-{side}-{seed}", one, seed))
    return runs


def do_transfer(proof: Proof) -> None:
    """Three more searches, on images in colour; then Tiny ImageNet."""
    known = [run for name in ("block", "cell") for run in transfer_runs(proof, name)]  # refused where not searched yet
    perform(transferred(proof)["colour"], proof.console)
    perform([*known, *transfer_runs(proof, "colour")], proof.console)


DO = {
    "search": do_search,
    "top": do_top,
    "rank": lambda proof: perform(rank_runs(proof), proof.console),
    "transfer": do_transfer,
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
    result["transfer"] = {
        name: sides(transfer_runs(proof, name), f"tiny-{name}-{{}}-")
        for name, searches in transferred(proof).items()
        if all(search.done for search in searches)
    }
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
        at_least(options, epochs=1, tiny_epochs=1)
        if not 0 < options.minutes < math.inf:
            raise SearchError(f"Expected --minutes above 0. Received: {options.minutes:g}")
        check_file(options.json)
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
