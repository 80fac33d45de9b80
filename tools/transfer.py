"""Does a pretrained body help? Fine-tuned on a few images of another set, against the same network from scratch.

    python tools/transfer.py --data DIR [--images 500] [--seeds 3] [--json FILE] [ENTRY:DATASET …]

DIR holds NAME.npz files in the layout of keras.datasets; DATASET is NAME, or NAME/K/S for its first K classes with
images shrunk S times. Both sides see the same images, the same recipe, the same number of epochs and the same test
images; from scratch the better of two learning rates counts. Each seed draws other images. By default the pairs that
docs/training.md quotes.
What is done is kept in --work, so that an interrupted comparison goes on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
from option_checks import at_least, check_file
from rich.console import Console

from automl_cells import finetune
from automl_cells.cli.quiet import import_framework
from automl_cells.datasets import Dataset, balanced_subset, from_arrays, load
from automl_cells.errors import AutoMLCellsError, DataError
from automl_cells.files import write_atomically
from automl_cells.training import recipe

PAIRS = (
    "blockqnn_imagenet_small/tiny_imagenet:cifar10",
    "blockqnn_cifar_small/cifar10:tiny_imagenet/25/2",
    "blockqnn_cifar_small/cifar10:fashion_mnist",
)
COLOUR = ({"op": "pad_crop", "padding": 4, "fill": "reflect"}, {"op": "horizontal_flip"})
AUGMENTATION = {"cifar10": COLOUR, "tiny_imagenet/25/2": COLOUR, "fashion_mnist": COLOUR}
"""Images that may be mirrored; the recipe's own augmentation, small turns and shifts, elsewhere."""
SCRATCH_RATES = (0.003, 0.02)
"""Learning rates from scratch, of which the better on the test images counts: a head start for that side. The first is
that of the recipe plain, the second that of finetune."""


def compare(pair: str, folder: Path, work: Path, images: int, seeds: int, console: Console) -> dict[str, Any]:
    """One row of the table: test accuracies in per cent, a seed each."""
    source, _, name = pair.partition(":")
    chosen = recipe("finetune", **({"augmentation": AUGMENTATION[name]} if name in AUGMENTATION else {}))
    found: dict[str, list[float]] = {"finetuned": [], "scratch": []}

    def accuracy(side: str, rate: float, seed: int) -> float:
        out = work / f"{source}-{name}-{images}-{seed}-{side}-{rate}".replace("/", "-")
        console.print(f"{source} → {name}, seed {seed}: {side}, learning rate {rate}", highlight=False)
        data = balanced_subset(_load(folder, name), images, seed)
        changed = recipe(chosen, learning_rate=rate)
        done = finetune(source, data, out=out, recipe=changed, from_scratch=side == "scratch", seed=seed, resume=True)
        return done.metrics["test_accuracy"]

    for seed in range(seeds):
        found["finetuned"].append(accuracy("finetuned", chosen.learning_rate, seed))
        found["scratch"].append(max(accuracy("scratch", rate, seed) for rate in SCRATCH_RATES))
    gains = [tuned - scratch for tuned, scratch in zip(found["finetuned"], found["scratch"], strict=True)]
    return {"entry": source, "dataset": name, "images": images, **found, "gains": gains}


def _load(folder: Path, name: str) -> Dataset:
    """``NAME``, or ``NAME/K/S``: its first K classes only, images shrunk S times by averaging."""
    given, (name, *parts) = name, name.split("/")
    if not name or len(parts) not in (0, 2) or not all(part.isdecimal() and int(part) for part in parts):
        raise DataError(f"Expected ENTRY:DATASET, DATASET as NAME or NAME/CLASSES/SHRINK. Received: {given!r}")
    data = load(f"npz:{folder / name}.npz")
    if not parts:
        return data
    classes, shrink = map(int, parts)
    train, test = data.y_train < classes, data.y_test < classes
    return from_arrays(
        _shrunk(data.x_train[train], shrink),
        data.y_train[train],
        _shrunk(data.x_test[test], shrink),
        data.y_test[test],
        data.class_names[:classes],
        f"{name}_{classes}_classes",
    )


def _shrunk(images: np.ndarray, times: int) -> np.ndarray:
    """The means of squares of `times` × `times` pixels, rounded.

    Raises:
        DataError: the sides are no multiples of `times`.
    """
    n, height, width, channels = images.shape
    if height % times or width % times:
        raise DataError(f"Expected SHRINK that divides {height} × {width} pixels. Received: {times}")
    squares = images.reshape(n, height // times, times, width // times, times, channels)
    return np.round(squares.mean((2, 4))).astype(np.uint8)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows in Markdown: mean over the seeds ± standard deviation."""
    lines = ["| pretrained body | images of | fine-tuned % | from scratch % | gain, points |", "|---|---|---|---|---|"]
    for row in rows:
        cells = [_spread(row[key]) for key in ("finetuned", "scratch", "gains")]
        lines.append(f"| `{row['entry']}` | {row['images']} {row['dataset']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    mean = f"{statistics.mean(values):.2f}"
    return f"{mean} ± {statistics.stdev(values):.2f}" if len(values) > 1 else mean


def main() -> None:
    """Compare, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="*", default=PAIRS, metavar="ENTRY:DATASET")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    arguments = parser.parse_args()
    console = Console(stderr=True, soft_wrap=True)
    rows = []
    try:
        at_least(arguments, images=1, seeds=1)
        check_file(arguments.json)
        import_framework()
        for pair in arguments.pairs:
            rows.append(compare(pair, arguments.data, arguments.work, arguments.images, arguments.seeds, console))
            print(table(rows[-1:]) if len(rows) == 1 else table(rows[-1:]).splitlines()[-1], flush=True)
    except AutoMLCellsError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    if arguments.json:
        write_atomically(arguments.json, json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
